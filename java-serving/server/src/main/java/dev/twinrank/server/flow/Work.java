package dev.twinrank.server.flow;

import dev.twinrank.core.Cancellation;
import dev.twinrank.core.ModelStore.Lease;

/**
 * What is done with a lease, on a scoring thread.
 *
 * @param <T> what comes of it; it must not refer to the lease's model
 */
@FunctionalInterface
public interface Work<T> {
  /**
   * Scores.
   *
   * @param lease the version that answers; the desk closes it
   * @param cancellation what ends the work; give it to every call of the model
   * @throws dev.twinrank.core.ScoringException if the request is refused
   */
  T run(Lease lease, Cancellation cancellation);
}
