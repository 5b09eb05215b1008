package dev.twinrank.load;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A stretch of a run.
 *
 * @param name as the report has it; what begins with {@code warm} does not decide whether the run
 *     is void
 * @param rate requests a second, sent whether answers come or not; 0 in a closed loop
 * @param inFlight how many requests a closed loop keeps under way; 0 at a fixed rate
 * @param nanos how long it lasts; 0 if it ends by count or when told
 * @param count how many requests it sends; 0 if it ends by time or when told
 */
record Phase(String name, double rate, int inFlight, long nanos, long count) {
  private static final Pattern FORM =
      Pattern.compile(
          "([a-zA-Z0-9_.-]+)=(?:(?<rate>[0-9.]+)/s|x(?<flight>[0-9]+)),(?:(?<seconds>[0-9.]+)s|(?<count>[0-9]+)|(?<told>told))");

  /**
   * Reads {@code NAME=RATE/s,DURATION} or {@code NAME=xN,DURATION}, where DURATION is seconds
   * ({@code 10s}), a number of requests ({@code 10000}) or {@code told}.
   *
   * @throws IllegalArgumentException if it is neither
   */
  static Phase of(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "a phase is NAME=RATE/s,END or NAME=xINFLIGHT,END with END such as 10s, 5000 (requests) or told (by a line on stdin); not '%s'"
              .formatted(text));
    }
    double rate = group(matcher, "rate").map(Double::parseDouble).orElse(0.0);
    int flight = group(matcher, "flight").map(Integer::parseInt).orElse(0);
    if (rate <= 0 && flight <= 0) {
      throw new IllegalArgumentException("a phase sends something; '%s' does not".formatted(text));
    }
    double seconds = group(matcher, "seconds").map(Double::parseDouble).orElse(0.0);
    long count = group(matcher, "count").map(Long::parseLong).orElse(0L);
    return new Phase(matcher.group(1), rate, flight, (long) (seconds * 1e9), count);
  }

  private static Optional<String> group(Matcher matcher, String name) {
    return Optional.ofNullable(matcher.group(name));
  }

  /** Returns whether requests are sent when they are due, and not when an answer has come. */
  boolean open() {
    return inFlight == 0;
  }

  /** Returns whether nothing that is measured here counts. */
  boolean warming() {
    return name.startsWith("warm");
  }
}
