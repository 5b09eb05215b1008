package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.VerificationReport.Difference;
import java.util.List;
import java.util.Optional;

/**
 * What replaying a golden gave.
 *
 * @param detail what is not as stored; empty if it passed
 * @param differences the heads that gave other bits
 */
record Outcome(Optional<String> detail, List<Difference> differences) {
  static final Outcome PASSED = new Outcome(Optional.empty(), List.of());

  static Outcome differs(String detail) {
    return new Outcome(Optional.of(detail), List.of());
  }
}
