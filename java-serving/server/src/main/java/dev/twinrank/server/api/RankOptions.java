package dev.twinrank.server.api;

import com.linecorp.armeria.common.QueryParams;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a ranking request asks of the service beside the ranking itself. It stands in the query, so
 * that the body stays what every reader of the contract takes. Immutable and thread-safe.
 *
 * @param heads the heads that the answer is to have; empty for all
 * @param explain whether the answer shows the features as the model reads them
 */
public record RankOptions(Optional<List<String>> heads, boolean explain) {
  /** All heads, and no explanation. */
  public static final RankOptions PLAIN = new RankOptions(Optional.empty(), false);

  static final String HEADS = "heads";
  static final String EXPLAIN = "explain";
  static final String FEATURES = "features";

  /** The parameters of a ranking's query. */
  static final List<String> PARAMETERS = List.of(HEADS, EXPLAIN);

  /** Copies the heads. */
  public RankOptions {
    heads = heads.map(List::copyOf);
  }

  /**
   * Reads a query.
   *
   * @throws Refusal {@code invalid_parameter}
   */
  static RankOptions of(QueryParams query) {
    if (query.isEmpty()) {
      return PLAIN;
    }
    checkNames(query, PARAMETERS);
    Optional<String> explain = one(query, EXPLAIN);
    if (explain.isPresent() && !explain.get().equals(FEATURES)) {
      throw refusal("explain is '%s'; it can be 'features'".formatted(explain.get()));
    }
    return new RankOptions(one(query, HEADS).map(RankOptions::names), explain.isPresent());
  }

  /**
   * Makes sure that a query has no other parameters.
   *
   * @throws Refusal {@code invalid_parameter}
   */
  static void checkNames(QueryParams query, List<String> allowed) {
    for (String name : query.names()) {
      if (!allowed.contains(name)) {
        throw refusal(
            "no parameter '%s'; this path has %s"
                .formatted(name, allowed.isEmpty() ? "none" : String.join(", ", allowed)));
      }
    }
  }

  private static Optional<String> one(QueryParams query, String name) {
    List<String> values = query.getAll(name);
    if (values.size() > 1) {
      throw refusal("%s is given %d times; give it once".formatted(name, values.size()));
    }
    return values.stream().findFirst();
  }

  private static List<String> names(String text) {
    if (text.isEmpty()) {
      return List.of();
    }
    List<String> names = Arrays.asList(text.split(",", -1));
    Set<String> distinct = new LinkedHashSet<>(names);
    if (distinct.size() < names.size()) {
      throw refusal("heads is '%s'; name each head once".formatted(text));
    }
    return names;
  }

  private static Refusal refusal(String detail) {
    return new Refusal(Problem.of(ServiceCode.INVALID_PARAMETER, detail));
  }

  /**
   * Returns the places of the wanted heads, in the order of the model's.
   *
   * @throws Refusal {@code unknown_head}
   */
  int[] heads(Model model) {
    List<String> all = model.heads().stream().map(Head::name).toList();
    if (heads.isEmpty()) {
      return IntStream.range(0, all.size()).toArray();
    }
    for (String name : heads.get()) {
      if (!all.contains(name)) {
        throw new Refusal(
            Problem.of(
                ServiceCode.UNKNOWN_HEAD,
                "no head '%s'; %s has %s, and every answer has the score"
                    .formatted(
                        name,
                        model.name(),
                        all.isEmpty()
                            ? "none"
                            : all.stream()
                                .map(RankOptions::quoted)
                                .collect(Collectors.joining(", ")))));
      }
    }
    return IntStream.range(0, all.size()).filter(i -> heads.get().contains(all.get(i))).toArray();
  }

  private static String quoted(String name) {
    return "'" + name + "'";
  }
}
