package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Problem;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.json.Quote;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Collects the problems of one phase. Not thread-safe. */
final class Findings {
  private final Path bundle;
  private final List<Problem> problems = new ArrayList<>();

  Findings(Path bundle) {
    this.bundle = bundle;
  }

  /** Notes a problem. File names and messages of libraries may hold what a terminal would obey. */
  void add(ErrorCode code, String path, String detail) {
    problems.add(new Problem(code, Quote.plain(path), Quote.plain(detail)));
  }

  boolean isEmpty() {
    return problems.isEmpty();
  }

  boolean names(String path) {
    return problems.stream().anyMatch(problem -> problem.path().equals(path));
  }

  /** Ends the phase: throws if anything was found. */
  void stop() {
    stop(null);
  }

  /** Ends the phase: throws if anything was found, with a cause. */
  void stop(Throwable cause) {
    if (!problems.isEmpty()) {
      throw new BundleException(bundle, problems, cause);
    }
  }

  /** Ends a phase that cannot go on for want of memory. */
  BundleException shortage(String path, ScoringException e) {
    return fatal(ErrorCode.MEMORY_BUDGET_EXCEEDED, path, "cannot be scored: " + e.getMessage(), e);
  }

  /** Ends the phase with one last problem. */
  BundleException fatal(ErrorCode code, String path, String detail, Throwable cause) {
    add(code, path, detail);
    return new BundleException(bundle, problems, cause);
  }
}
