package dev.twinrank.server.ops;

import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/**
 * Where a request stands in a distributed trace, as W3C Trace Context (Recommendation of 23
 * November 2021) writes it. Immutable and thread-safe.
 *
 * @param traceId 32 lower-case hex digits, not all zero; the client's, or a new one
 * @param spanId 16 lower-case hex digits, not all zero: this request's own
 * @param parentId the client's span; empty if the client sent no valid {@code traceparent}
 * @param flags the trace flags, 0 to 255; bit 0 says that the client records this trace
 * @param state the header {@code tracestate} as it came; empty if there is none that is valid
 */
public record TraceContext(
    String traceId, String spanId, Optional<String> parentId, int flags, Optional<String> state) {

  private static final int LENGTH_OF_VERSION_0 = 55;
  private static final int STATE_MEMBERS = 32;
  private static final int STATE_LENGTH = 512;
  private static final Pattern PARENT =
      Pattern.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?");
  // key "=" value of section 3.3.1: a simple key, or tenant@system.
  private static final Pattern MEMBER =
      Pattern.compile(
          "(?:[a-z][a-z0-9_\\-*/]{0,255}|[a-z0-9][a-z0-9_\\-*/]{0,240}@[a-z][a-z0-9_\\-*/]{0,13})"
              + "=[\\x20-\\x2b\\x2d-\\x3c\\x3e-\\x7e]{0,255}[\\x21-\\x2b\\x2d-\\x3c\\x3e-\\x7e]");

  /**
   * Continues the trace of a request, or begins one.
   *
   * @param parents every header {@code traceparent}; more than one, or one that is not valid, is as
   *     none (section 3.2), and then {@code states} are not looked at
   * @param states every header {@code tracestate}, in order
   * @param recorded the share of the traces that begin here which are recorded, 0 to 1
   */
  static TraceContext of(List<String> parents, List<String> states, double recorded) {
    var match = PARENT.matcher(parents.size() == 1 ? parents.get(0).strip() : "");
    boolean valid =
        match.matches()
            && !match.group(1).equals("ff")
            && (!match.group(1).equals("00") || match.end() == LENGTH_OF_VERSION_0)
            && !allZero(match.group(2))
            && !allZero(match.group(3));
    if (!valid) {
      String trace = id() + id();
      return new TraceContext(
          trace, id(), Optional.empty(), share(trace) < recorded ? 1 : 0, Optional.empty());
    }
    return new TraceContext(
        match.group(2),
        id(),
        Optional.of(match.group(3)),
        Integer.parseInt(match.group(4), 16),
        state(states));
  }

  /** Returns whether the client said that it records this trace. */
  public boolean sampled() {
    return (flags & 1) != 0;
  }

  /**
   * Returns where the trace falls in [0, 1): the same for every service that sees it, and uniform
   * where the right-most seven bytes of trace ids are random, as section 2.2.4 of Level 2 asks.
   */
  double share() {
    return share(traceId);
  }

  private static double share(String traceId) {
    return Long.parseLong(traceId.substring(traceId.length() - 14), 16) / (double) (1L << 56);
  }

  /** Returns the header {@code traceparent} with this request as the parent. */
  public String header() {
    // A later version's unknown flags are not ours to pass on (section 4.3).
    return "00-" + traceId + "-" + spanId + (sampled() ? "-01" : "-00");
  }

  private static Optional<String> state(List<String> headers) {
    String joined = String.join(",", headers);
    List<String> members =
        List.of(joined.split(",", -1)).stream()
            .map(String::strip)
            .filter(m -> !m.isEmpty())
            .toList();
    boolean valid =
        !members.isEmpty()
            && joined.length() <= STATE_LENGTH
            && members.size() <= STATE_MEMBERS
            && members.stream().allMatch(member -> MEMBER.matcher(member).matches())
            && members.stream()
                    .map(member -> member.substring(0, member.indexOf('=')))
                    .distinct()
                    .count()
                == members.size();
    return valid ? Optional.of(String.join(",", members)) : Optional.empty();
  }

  private static boolean allZero(String hex) {
    return hex.chars().allMatch(digit -> digit == '0');
  }

  /** Returns 16 random hex digits that are not all zero; nobody's secret. */
  static String id() {
    long bits;
    do {
      bits = ThreadLocalRandom.current().nextLong();
    } while (bits == 0);
    return HexFormat.of().toHexDigits(bits);
  }
}
