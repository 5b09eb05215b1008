package dev.twinrank.core;

import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * What a model has counted since it was opened. Immutable and thread-safe.
 *
 * <p>A request counts when it is scored or ranked, each time, or when it is refused; one that is
 * made and never scored does not. A call that fails because the program is wrong (a closed model, a
 * request of another schema, a spent builder) counts nowhere, and neither do replays of goldens.
 * Counters are read one after another: while requests run, two of them may be one request apart.
 *
 * @param requests answered and refused
 * @param candidates of the answered requests
 * @param refusals how many requests were refused, by code, in the contract's order; only codes that
 *     occurred
 * @param features one entry a feature, in schema order
 * @param outputs one entry a head, in the model's order, and the score's last
 * @param listenerFailures how often a {@link ScoringListener} threw
 * @since 0.1
 */
public record Statistics(
    long requests,
    long candidates,
    Map<ErrorCode, Long> refusals,
    List<FeatureCounts> features,
    List<OutputCounts> outputs,
    long listenerFailures) {

  /**
   * What was counted of one feature. Immutable and thread-safe.
   *
   * <p>Absorbed values count as they are packed, also those of a request that is refused later;
   * what stands behind the value that was refused is not looked at.
   *
   * @param feature the feature
   * @param missing values absent or null that its policy absorbed: one a request or a candidate
   * @param invalid values of a wrong type, range or length that its policy absorbed; a whole list
   *     or vector is one
   * @param unseen values that the graph's vocabulary does not hold, elements of lists counted one
   *     by one. The graph counts them only where the feature's {@code unseen} policy is {@link
   *     Policy#ERROR}, and such a request is refused; under every other policy they are the graph's
   *     own business, nobody outside knows them, and this is empty
   * @param refused how many requests were refused because of this feature, by code; only codes that
   *     occurred. The first problem of a request is its only one
   * @since 0.1
   */
  public record FeatureCounts(
      Feature feature,
      long missing,
      long invalid,
      OptionalLong unseen,
      Map<ErrorCode, Long> refused) {
    /** Refuses nulls. */
    public FeatureCounts {
      Objects.requireNonNull(feature, "feature");
      Objects.requireNonNull(unseen, "unseen");
      refused = ordered(refused);
    }
  }

  /**
   * What was counted of one output. Immutable and thread-safe.
   *
   * @param output a head, or the score
   * @param nan values that are NaN; of the score, these are the candidates that were dropped
   * @param infinite values that are infinite, which are ranked as any other
   * @since 0.1
   */
  public record OutputCounts(Head output, long nan, long infinite) {
    /** Refuses nulls. */
    public OutputCounts {
      Objects.requireNonNull(output, "output");
    }
  }

  /** Copies what is given. */
  public Statistics {
    refusals = ordered(refusals);
    features = List.copyOf(features);
    outputs = List.copyOf(outputs);
  }

  /** Returns how many requests were answered. */
  public long answered() {
    return requests - refusals.values().stream().mapToLong(Long::longValue).sum();
  }

  private static Map<ErrorCode, Long> ordered(Map<ErrorCode, Long> counts) {
    EnumMap<ErrorCode, Long> copy = new EnumMap<>(ErrorCode.class);
    copy.putAll(counts);
    return Collections.unmodifiableMap(copy);
  }
}
