package dev.twinrank.benchmarks.micro;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.twinrank.core.DType;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import dev.twinrank.core.Schema;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.request.RequestReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What reading a request costs, in nanoseconds a byte: the reader as it is, the thorough reader
 * alone, and Jackson's parser of bytes, which only looks at each token. They take turns, round by
 * round, so that a ratio is of neighbours.
 */
public final class RequestReading {
  private static final int ROUNDS = 21;
  private static final long ROUND_NANOS = 40_000_000;
  private static final int TEXTS = 16;
  private static final String LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

  private final Random random = new Random(7);
  private long sink;

  private RequestReading() {}

  /** What is measured. */
  private interface Contestant {
    long read(byte[] text);
  }

  /** Runs all; arguments are ignored. */
  public static void main(String[] arguments) {
    new RequestReading().run();
  }

  private void run() {
    System.out.println(
        "ns a byte: median of " + ROUNDS + " rounds; ratios of neighbours: median [least, most]");
    for (String model : List.of("heavy", "light")) {
      Schema schema = model.equals("heavy") ? schema(8, 4, 12, 9) : schema(3, 3, 5, 9);
      for (String form : List.of("rows", "rows, spaces", "columns")) {
        for (boolean wide : new boolean[] {false, true}) {
          byte[][] texts = new byte[TEXTS][];
          for (int i = 0; i < TEXTS; i++) {
            texts[i] = text(schema, form, wide);
          }
          measure(model + ", " + form + (wide ? ", 17 digits" : ", 5 digits"), schema, texts);
        }
      }
    }
    System.out.println("checksum " + sink);
  }

  private void measure(String name, Schema schema, byte[][] texts) {
    PackPlan plan = new PackPlan(schema);
    RequestReader reader = new RequestReader(plan, 10_000);
    JsonFactory jackson = new JsonFactory();
    List<Contestant> contestants =
        List.of(
            text -> reader.read(text, new Counts(plan)).candidates(),
            text -> reader.readThoroughly(text, new Counts(plan)).candidates(),
            text -> tokens(jackson, text));
    double[][] nanos = new double[contestants.size()][ROUNDS];
    for (int round = -10; round < ROUNDS; round++) {
      for (int i = 0; i < nanos.length; i++) {
        double taken = round(contestants.get(i), texts);
        if (round >= 0) {
          nanos[i][round] = taken;
        }
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%-34s %7d B  ours %5.2f  thorough %5.2f  Jackson's tokens %5.2f  ours/thorough %s"
            + "  ours/tokens %s%n",
        name,
        texts[0].length,
        median(nanos[0]),
        median(nanos[1]),
        median(nanos[2]),
        ratio(nanos[0], nanos[1]),
        ratio(nanos[0], nanos[2]));
  }

  private double round(Contestant contestant, byte[][] texts) {
    long start = System.nanoTime();
    long bytes = 0;
    long now = start;
    while (now - start < ROUND_NANOS) {
      for (byte[] text : texts) {
        sink += contestant.read(text);
        bytes += text.length;
      }
      now = System.nanoTime();
    }
    return (double) (now - start) / bytes;
  }

  private static long tokens(JsonFactory jackson, byte[] text) {
    try (JsonParser parser = jackson.createParser(text)) {
      long seen = 0;
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        seen +=
            switch (token) {
              case VALUE_STRING -> parser.getTextLength();
              case VALUE_NUMBER_FLOAT -> (long) parser.getDoubleValue();
              default -> 1;
            };
      }
      return seen;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  private static String ratio(double[] one, double[] other) {
    double[] ratios = IntStream.range(0, ROUNDS).mapToDouble(i -> one[i] / other[i]).toArray();
    Arrays.sort(ratios);
    return String.format(
        Locale.ROOT, "%.2f [%.2f, %.2f]", median(ratios), ratios[0], ratios[ROUNDS - 1]);
  }

  private static Schema schema(int strings, int floats, int itemStrings, int itemFloats) {
    List<Feature> features = new ArrayList<>();
    add(features, Placement.CONTEXT, DType.STRING, strings);
    add(features, Placement.CONTEXT, DType.FLOAT32, floats);
    add(features, Placement.CANDIDATE, DType.STRING, itemStrings);
    add(features, Placement.CANDIDATE, DType.FLOAT32, itemFloats);
    return Schema.of(features);
  }

  private static void add(List<Feature> features, Placement placement, DType dtype, int count) {
    for (int i = 0; i < count; i++) {
      features.add(
          new Feature(
              placement.label() + (dtype == DType.STRING ? "_text_" : "_number_") + i,
              placement,
              dtype,
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              false,
              Policy.OWN_ROW,
              Policy.OWN_ROW,
              Policy.OWN_ROW));
    }
  }

  private byte[] text(Schema schema, String form, boolean wide) {
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      rows.add(schema.candidate().stream().map(each -> value(each, wide)).toList());
    }
    String context =
        schema.context().stream()
            .map(each -> name(each) + value(each, wide))
            .collect(Collectors.joining(","));
    List<Feature> features = schema.candidate();
    String candidates =
        form.equals("columns")
            ? IntStream.range(0, features.size())
                .mapToObj(
                    i ->
                        name(features.get(i))
                            + rows.stream()
                                .map(row -> row.get(i))
                                .collect(Collectors.joining(",", "[", "]")))
                .collect(Collectors.joining(",", "{", "}"))
            : rows.stream()
                .map(
                    row ->
                        IntStream.range(0, features.size())
                            .mapToObj(i -> name(features.get(i)) + row.get(i))
                            .collect(Collectors.joining(",", "{", "}")))
                .collect(Collectors.joining(",", "[", "]"));
    String text = "{\"context\":{" + context + "},\"candidates\":" + candidates + ",\"k\":10}";
    if (form.endsWith("spaces")) {
      text = text.replace(",", ", ").replace(":", ": ");
    }
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String name(Feature feature) {
    return "\"" + feature.name() + "\":";
  }

  private String value(Feature feature, boolean wide) {
    if (feature.dtype() == DType.FLOAT32) {
      float number = (float) random.nextGaussian();
      return wide ? Double.toString(number) : String.format(Locale.ROOT, "%.4f", number);
    }
    return random
        .ints(8 + random.nextInt(8), 0, LETTERS.length())
        .mapToObj(i -> LETTERS.substring(i, i + 1))
        .collect(Collectors.joining("", "\"", "\""));
  }
}
