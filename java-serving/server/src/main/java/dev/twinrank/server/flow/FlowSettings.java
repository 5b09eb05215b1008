package dev.twinrank.server.flow;

import java.time.Duration;

/**
 * What bounds the work of a server. Immutable and thread-safe.
 *
 * @param maxBody the longest request body, in bytes; of a compressed one, what comes out of it too
 * @param workers how many threads score; at least 2, so that one is left when large slates run
 * @param maxDeadline the longest that anything is waited for, also by who names no deadline
 * @param queueAge the longest that a request waits for a thread
 * @param queueRows how many candidates may wait for threads
 * @param largeSlate a request of more candidates is a large one
 * @param connections what bounds its connections
 */
public record FlowSettings(
    long maxBody,
    int workers,
    Duration maxDeadline,
    Duration queueAge,
    int queueRows,
    int largeSlate,
    ConnectionSettings connections) {
  /** The longest body if nothing is said. */
  public static final long DEFAULT_MAX_BODY = 16L << 20;

  static final int DEFAULT_MAX_DEADLINE_MILLIS = 30_000;
  static final int DEFAULT_QUEUE_AGE_MILLIS = 50;
  static final int DEFAULT_QUEUE_ROWS = 100_000;
  static final int DEFAULT_LARGE_SLATE = 1_000;
  static final int LEAST_WORKERS = 2;

  /** Makes settings that are the default ones in all else. */
  public FlowSettings(long maxBody, int workers) {
    this(
        maxBody,
        workers,
        Duration.ofMillis(DEFAULT_MAX_DEADLINE_MILLIS),
        Duration.ofMillis(DEFAULT_QUEUE_AGE_MILLIS),
        DEFAULT_QUEUE_ROWS,
        DEFAULT_LARGE_SLATE,
        ConnectionSettings.defaults());
  }

  /** Checks what no option can say wrong. */
  public FlowSettings {
    if (workers < LEAST_WORKERS) {
      throw new IllegalArgumentException("%d workers; at least 2 are needed".formatted(workers));
    }
  }

  /** Returns what holds if nothing is said. */
  public static FlowSettings defaults() {
    return new FlowSettings(
        DEFAULT_MAX_BODY, Math.max(LEAST_WORKERS, Runtime.getRuntime().availableProcessors()));
  }

  /** Returns these settings with another age of the queue. */
  public FlowSettings withQueueAge(Duration age) {
    return new FlowSettings(maxBody, workers, maxDeadline, age, queueRows, largeSlate, connections);
  }

  /** Returns these settings with other bounds of the connections. */
  public FlowSettings with(ConnectionSettings other) {
    return new FlowSettings(maxBody, workers, maxDeadline, queueAge, queueRows, largeSlate, other);
  }
}
