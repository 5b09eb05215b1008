package dev.twinrank.core.internal.life;

import java.time.Duration;

/**
 * What is left of a time, from when it was made. Immutable and thread-safe.
 *
 * @param began {@link System#nanoTime} then
 * @param nanos how long it was
 */
public record TimeLeft(long began, long nanos) {
  /** Starts a time; one of more than 292 years never ends. */
  public static TimeLeft of(Duration limit) {
    long nanos;
    try {
      nanos = limit.toNanos();
    } catch (ArithmeticException e) {
      nanos = Long.MAX_VALUE;
    }
    return new TimeLeft(System.nanoTime(), nanos);
  }

  /** Returns the nanoseconds that are left, at least 0. */
  public long now() {
    return Math.max(0, nanos - (System.nanoTime() - began));
  }
}
