package dev.twinrank.server.flow;

import java.time.Duration;

/**
 * What bounds the connections of a server. Immutable and thread-safe.
 *
 * @param most how many there may be
 * @param idle after how long without a request one is closed
 * @param transfer how long a request may take to come, and an answer to be taken
 * @param headerBytes the longest headers of a request, all together
 * @param streams how many requests an HTTP/2 connection may have under way
 */
public record ConnectionSettings(
    int most, Duration idle, Duration transfer, int headerBytes, int streams) {
  static final int DEFAULT_MOST = 1_024;
  // Longer than the minute after which load balancers end theirs, so that it is they who do.
  static final int DEFAULT_IDLE_MILLIS = 75_000;
  static final int DEFAULT_TRANSFER_MILLIS = 15_000;
  static final int DEFAULT_HEADER_BYTES = 16 << 10;
  static final int DEFAULT_STREAMS = 128;

  /** Returns what holds if nothing is said. */
  public static ConnectionSettings defaults() {
    return new ConnectionSettings(
        DEFAULT_MOST,
        Duration.ofMillis(DEFAULT_IDLE_MILLIS),
        Duration.ofMillis(DEFAULT_TRANSFER_MILLIS),
        DEFAULT_HEADER_BYTES,
        DEFAULT_STREAMS);
  }
}
