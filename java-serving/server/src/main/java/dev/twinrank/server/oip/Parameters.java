package dev.twinrank.server.oip;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What the parameters of a request mean. Immutable and thread-safe.
 *
 * @param k how many ranked candidates are wanted; empty for all
 * @param candidates how many candidates there are; empty if the inputs say so
 * @param timeout how long the client waits; empty if it did not say
 */
record Parameters(OptionalInt k, OptionalInt candidates, Optional<Duration> timeout) {
  static final String BINARY_OUTPUT = "binary_data_output";

  private static final String K = "k";
  private static final String CANDIDATES = "candidates";
  private static final String TIMEOUT = "timeout";
  private static final String PRIORITY = "priority";
  private static final String RESERVED = "triton_";
  private static final Set<String> KNOWN = Set.of(K, CANDIDATES, TIMEOUT, PRIORITY, BINARY_OUTPUT);
  private static final long LONGEST_MICROS = Duration.ofDays(1).toMillis() * 1000;

  /**
   * Reads the parameters.
   *
   * @throws dev.twinrank.server.problem.Refusal {@code invalid_request} for one that means nothing
   *     here, or has a value that means nothing
   */
  static Parameters of(Map<String, Object> given) {
    for (String name : given.keySet()) {
      // Triton keeps these names for itself; perf_analyzer sends one with every request over gRPC.
      if (!KNOWN.contains(name) && !name.startsWith(RESERVED)) {
        throw OipProblems.request(
            "parameter "
                + OipProblems.quoted(name)
                + " means nothing here; the parameters of a request are k, candidates, timeout,"
                + " priority and binary_data_output");
      }
    }
    integer(given, PRIORITY);
    Optional<Long> micros = integer(given, TIMEOUT);
    return new Parameters(
        count(given, K),
        count(given, CANDIDATES),
        // As in Triton, 0 is no timeout.
        micros
            .filter(each -> each > 0)
            .map(each -> Duration.ofNanos(1000 * Math.min(each, LONGEST_MICROS))));
  }

  private static OptionalInt count(Map<String, Object> given, String name) {
    Optional<Long> value = integer(given, name);
    return value.isEmpty()
        ? OptionalInt.empty()
        : OptionalInt.of((int) Math.min(value.get(), Integer.MAX_VALUE));
  }

  private static Optional<Long> integer(Map<String, Object> given, String name) {
    Object value = given.get(name);
    if (value == null) {
      return Optional.empty();
    }
    if (!(value instanceof Long number) || number < 0) {
      throw OipProblems.request(
          "parameter '%s' is %s; send an integer of at least 0"
              .formatted(name, value instanceof String s ? OipProblems.quoted(s) : value));
    }
    return Optional.of(number);
  }
}
