package dev.twinrank.core;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * This bundle is unusable: stop serving it. Immutable and thread-safe.
 *
 * <p>Reading goes in phases, and all problems of the phase that failed are here.
 *
 * @since 0.1
 */
public final class BundleException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final Comparator<Problem> ORDER =
      Comparator.comparing(Problem::code).thenComparing(Problem::path);

  private final transient List<Problem> problems;

  /**
   * Makes an exception for a bundle.
   *
   * @param bundle the directory that was read
   * @param problems the problems of one phase; sorted by code and path here
   * @param cause what the runtime said, or null
   * @throws IllegalArgumentException if there is no problem
   */
  public BundleException(Path bundle, List<Problem> problems, Throwable cause) {
    super(message(bundle, problems), cause);
    this.problems = problems.stream().sorted(ORDER).toList();
  }

  /** Returns the primary code: that of the first problem. */
  public ErrorCode code() {
    return problems.get(0).code();
  }

  /** Returns every problem of the phase that failed, ordered by code and then by path. */
  public List<Problem> problems() {
    return problems;
  }

  private static String message(Path bundle, List<Problem> problems) {
    if (problems.isEmpty()) {
      throw new IllegalArgumentException("a BundleException needs at least one problem");
    }
    return problems.stream()
        .sorted(ORDER)
        .map(p -> p.code().code() + ": " + p.path() + ": " + p.detail())
        .collect(
            Collectors.joining(
                "\n  ",
                "bundle "
                    + bundle
                    + " cannot be used ("
                    + problems.size()
                    + (problems.size() == 1 ? " problem)\n  " : " problems)\n  "),
                ""));
  }
}
