package dev.twinrank.server.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.Problem;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;

/**
 * A change that failed; what was there before serves on. Immutable and thread-safe.
 *
 * @param version the version that was to be served, if it was known
 * @param code the contract's code of what is wrong
 * @param detail what is wrong and what to do, on one line
 * @param problems each problem of the bundle; empty if it was not the bundle
 * @param at when
 */
public record Failure(
    OptionalLong version, String code, String detail, List<Problem> problems, Instant at) {

  /** What is told of a pointer that names no version. */
  static final String POINTER = "pointer_invalid";

  /** What is told when it was not the bundle. */
  static final String OTHER = "load_failed";

  /** Copies the problems. */
  public Failure {
    problems = List.copyOf(problems);
  }

  static Failure of(long version, RuntimeException e, Instant at) {
    if (e instanceof BundleException bundle) {
      return new Failure(
          OptionalLong.of(version),
          bundle.code().code(),
          Text.printable(e.getMessage()),
          bundle.problems(),
          at);
    }
    return new Failure(
        OptionalLong.of(version), OTHER, Text.printable(String.valueOf(e)), List.of(), at);
  }

  static Failure of(String pointer, Instant at) {
    return new Failure(OptionalLong.empty(), POINTER, pointer, List.of(), at);
  }

  /** Returns whether it says the same as an earlier one. */
  boolean repeats(Failure earlier) {
    return earlier != null
        && version.equals(earlier.version)
        && code.equals(earlier.code)
        && detail.equals(earlier.detail);
  }
}
