package dev.twinrank.server.ops;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;

/**
 * What operators see. Immutable and thread-safe.
 *
 * @param accessLog which requests have a line of the log
 * @param requests the request log; empty if there is none
 * @param traces where spans go; empty if nowhere
 */
public record OpsSettings(
    AccessLog.Which accessLog, Optional<Requests> requests, Optional<Traces> traces) {
  /**
   * The request log. Immutable and thread-safe.
   *
   * @param folder where its files are
   * @param sample the share of the requests that are in it, 0 to 1
   * @param maxBytes how much all files may hold together
   */
  public record Requests(Path folder, double sample, long maxBytes) {}

  /**
   * Where spans go. Immutable and thread-safe.
   *
   * @param endpoint the URL of a collector's OTLP/HTTP receiver
   * @param sample the share of the traces that begin here which are recorded, 0 to 1; one that a
   *     client began is recorded if the client says so
   */
  public record Traces(String endpoint, double sample) {}

  /** Refuses nulls. */
  public OpsSettings {
    Objects.requireNonNull(accessLog, "accessLog");
    Objects.requireNonNull(requests, "requests");
    Objects.requireNonNull(traces, "traces");
  }

  /** Returns what holds if nothing is said. */
  public static OpsSettings defaults() {
    return new OpsSettings(AccessLog.Which.NONE, Optional.empty(), Optional.empty());
  }
}
