package dev.twinrank.example;

import dev.twinrank.core.DType;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Scores;
import dev.twinrank.core.ScoringException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import java.util.function.IntToDoubleFunction;

/**
 * A program that embeds twinrank: opens a bundle, ranks the requests of a file, and prints every score as its bits.
 *
 * <p>One line a request, in the form of the bundle's own {@code goldens/rankings.jsonl}; {@code order} is cut by the
 * request's {@code k}.
 */
public final class RankWithGradle {
  private static final int USAGE = 2;

  private RankWithGradle() {}

  /**
   * Runs the program.
   *
   * @param args the bundle's directory, a file with one request a line, and {@code bits} or {@code reference}
   * @throws IOException if the file cannot be read
   */
  public static void main(String[] args) throws IOException {
    if (args.length != 3) {
      System.err.println("usage: RankWithGradle BUNDLE REQUESTS.jsonl bits|reference");
      System.exit(USAGE);
    }
    Require require = Require.valueOf(args[2].toUpperCase(Locale.ROOT));
    try (Model model = Model.open(Path.of(args[0]), ModelOptions.builder().require(require).build())) {
      System.err.printf("%s %s %s%n", model.name(), model.digest(), model.verification().state().label());
      model.verification().allowed().forEach(allowed -> System.err.println("allowed at export: " + allowed));
      replay(model, Path.of(args[1])).forEach(System.out::println);
    }
  }

  /** Ranks each line of the file and returns a line for each. */
  static List<String> replay(Model model, Path requests) throws IOException {
    List<String> lines = new ArrayList<>();
    for (byte[] request : lines(Files.readAllBytes(requests))) {
      lines.add(answer(model, lines.size(), request));
    }
    return lines;
  }

  private static String answer(Model model, int golden, byte[] request) {
    try {
      Ranking ranking = model.rank(model.parse(request));
      return "{\"golden\": %d, \"n\": %d, %s, \"order\": %s, \"dropped\": %s}"
          .formatted(
              golden,
              ranking.scores().candidates(),
              bits(model, ranking.scores()),
              ranking.entries().stream().map(Ranking.Entry::index).toList(),
              ranking.dropped().stream().map(Ranking.Dropped::index).toList());
    } catch (ScoringException e) {
      return "{\"golden\": %d, \"error\": \"%s\"}".formatted(golden, e.code().code());
    }
  }

  private static String bits(Model model, Scores scores) {
    StringJoiner heads = new StringJoiner(", ", "{", "}");
    for (int i = 0; i < model.heads().size() && scores.candidates() > 0; i++) {
      int head = i;
      heads.add(
          "\"%s\": %s"
              .formatted(
                  model.heads().get(head).name(),
                  column(scores, model.heads().get(head), candidate -> scores.value(head, candidate))));
    }
    return "\"heads\": %s, \"score\": %s".formatted(heads, column(scores, model.score(), scores::score));
  }

  // Values come widened exactly, so narrowing gives the graph's own bits; every NaN is printed as the same one, because
  // the contract holds any NaN equal to any other.
  private static String column(Scores scores, Head head, IntToDoubleFunction value) {
    StringJoiner values = new StringJoiner(", ", "[", "]");
    for (int candidate = 0; candidate < scores.candidates(); candidate++) {
      double widened = value.applyAsDouble(candidate);
      String hex =
          head.dtype() == DType.FLOAT32
              ? "%08x".formatted(Float.floatToIntBits((float) widened))
              : "%016x".formatted(Double.doubleToLongBits(widened));
      values.add("\"" + hex + "\"");
    }
    return values.toString();
  }

  // Split by bytes and not read as text: a golden may be no UTF-8 at all, and must reach the model as it is.
  private static List<byte[]> lines(byte[] file) {
    List<byte[]> lines = new ArrayList<>();
    String latin1 = new String(file, StandardCharsets.ISO_8859_1);
    for (int start = 0; start < latin1.length(); ) {
      int end = latin1.indexOf('\n', start);
      end = end < 0 ? latin1.length() : end;
      lines.add(latin1.substring(start, end).getBytes(StandardCharsets.ISO_8859_1));
      start = end + 1;
    }
    return lines;
  }
}
