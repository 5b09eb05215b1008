package dev.twinrank.server.flow;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.RequestHeaders;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import io.netty.util.AsciiString;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;

/**
 * How long a client waits, as the headers of its request say: time that is left, and never a moment
 * of somebody's clock.
 */
public final class Deadlines {
  /** This service's own header: whole milliseconds. */
  public static final AsciiString OWN = HttpHeaderNames.of("x-request-timeout-ms");

  /** What gRPC clients send: up to eight digits and a unit. */
  public static final AsciiString GRPC = HttpHeaderNames.of("grpc-timeout");

  /** What an Envoy on the way sends: whole milliseconds. */
  public static final AsciiString ENVOY = HttpHeaderNames.of("x-envoy-expected-rq-timeout-ms");

  private static final int LONGEST_MILLIS = 15;
  private static final int LONGEST_GRPC = 8;
  private static final int LONGEST_QUOTE = 40;

  private Deadlines() {}

  /**
   * Returns the smallest of the times that a request's headers give.
   *
   * @return empty if none does; zero or negative if there is no time left
   * @throws Refusal {@code invalid_header} for a value that is not of its header's form
   */
  public static Optional<Duration> of(RequestHeaders headers) {
    Optional<Duration> own =
        least(
            headers, OWN, Deadlines::millis, "whole milliseconds in at most 15 digits, such as 50");
    Optional<Duration> envoy =
        least(
            headers,
            ENVOY,
            Deadlines::millis,
            "whole milliseconds in at most 15 digits, such as 50");
    Optional<Duration> grpc =
        least(
            headers,
            GRPC,
            Deadlines::grpc,
            "at most 8 digits and one of H, M, S, m, u, n, such as 50m for 50 milliseconds");
    return earlier(earlier(own, envoy), grpc);
  }

  /** Returns the shorter of two times, of which either may be missing. */
  static Optional<Duration> earlier(Optional<Duration> a, Optional<Duration> b) {
    if (a.isEmpty() || b.isEmpty()) {
      return a.isPresent() ? a : b;
    }
    return a.get().compareTo(b.get()) <= 0 ? a : b;
  }

  private static Optional<Duration> least(
      RequestHeaders headers, AsciiString name, Function<String, Duration> read, String form) {
    Optional<Duration> least = Optional.empty();
    for (String value : headers.getAll(name)) {
      Duration time = read.apply(value);
      if (time == null) {
        String quoted =
            value.length() > LONGEST_QUOTE ? value.substring(0, LONGEST_QUOTE) + "..." : value;
        throw new Refusal(
            Problem.of(
                ServiceCode.INVALID_HEADER,
                "the header %s is '%s'; send %s, or leave it out".formatted(name, quoted, form)));
      }
      least = earlier(least, Optional.of(time));
    }
    return least;
  }

  /** Returns null for what is no such number. */
  private static Duration millis(String text) {
    boolean negative = text.startsWith("-");
    String digits = negative ? text.substring(1) : text;
    if (!isNumber(digits, LONGEST_MILLIS)) {
      return null;
    }
    return Duration.ofMillis(Long.parseLong(text));
  }

  /** Returns null for what is none of gRPC's timeouts. */
  private static Duration grpc(String text) {
    if (text.isEmpty() || !isNumber(text.substring(0, text.length() - 1), LONGEST_GRPC)) {
      return null;
    }
    long value = Long.parseLong(text.substring(0, text.length() - 1));
    return switch (text.charAt(text.length() - 1)) {
      case 'H' -> Duration.ofHours(value);
      case 'M' -> Duration.ofMinutes(value);
      case 'S' -> Duration.ofSeconds(value);
      case 'm' -> Duration.ofMillis(value);
      case 'u' -> Duration.ofNanos(value * 1_000);
      case 'n' -> Duration.ofNanos(value);
      default -> null;
    };
  }

  private static boolean isNumber(String digits, int longest) {
    return !digits.isEmpty()
        && digits.length() <= longest
        && digits.chars().allMatch(c -> c >= '0' && c <= '9');
  }
}
