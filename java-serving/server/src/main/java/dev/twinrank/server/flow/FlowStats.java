package dev.twinrank.server.flow;

import java.util.Map;

/**
 * How much waits and runs at one moment, and what was turned away so far. Immutable and
 * thread-safe.
 *
 * @param small the lane of requests with few candidates
 * @param large the lane of those with many
 * @param shed how many were turned away since the start, for each reason
 */
public record FlowStats(Lane small, Lane large, Map<Shed, Long> shed) {
  /**
   * One lane.
   *
   * @param limit how many requests may run and wait at this moment, at their present mean cost
   * @param running how many run
   * @param queued how many wait
   * @param queuedRows how many candidates wait, as far as known or estimated
   * @param oldestNanos how long the first one has waited; 0 if none waits
   * @param overloaded whether more work comes than the threads can do
   */
  public record Lane(
      int limit, int running, int queued, long queuedRows, long oldestNanos, boolean overloaded) {}
}
