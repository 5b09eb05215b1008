package dev.twinrank.server.problem;

import com.linecorp.armeria.common.util.Exceptions;
import dev.twinrank.core.ScoringException;

/**
 * A request that is not answered with a ranking, and why. It has no stack trace: refusing must be
 * cheap when there is most of it. Thread-safe.
 */
public final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient Problem problem;

  /** Refuses with a problem. */
  public Refusal(Problem problem) {
    super(problem.code() + ": " + problem.detail(), null, false, false);
    this.problem = problem;
  }

  /** Returns what the client is told. */
  public Problem problem() {
    return problem;
  }

  /**
   * Returns the problem that a failed future means to its client. What is no refusal is a fault of
   * the server: the caller logs it.
   */
  public static Problem problemOf(Throwable thrown) {
    Throwable cause = Exceptions.peel(thrown);
    if (cause instanceof Refusal refusal) {
      return refusal.problem();
    }
    if (cause instanceof ScoringException scoring) {
      return Problem.of(scoring);
    }
    return Problem.of(
        ServiceCode.INTERNAL_ERROR, "the server failed on this request; its log says why");
  }
}
