package dev.twinrank.gateway;

import java.nio.file.Path;
import java.util.Objects;

/**
 * Where a gateway listens and where it says so. Immutable and thread-safe.
 *
 * @param connectionFile where port and token are written; its directory exists and only trusted
 *     users write to it
 * @param port the port on 127.0.0.1; 0 takes a free one
 * @since 0.1
 */
public record GatewayOptions(Path connectionFile, int port) {
  private static final int MAX_PORT = 65_535;

  /**
   * Checks the port.
   *
   * @throws IllegalArgumentException if it is not in 0 to 65535
   */
  public GatewayOptions {
    Objects.requireNonNull(connectionFile, "connectionFile");
    if (port < 0 || port > MAX_PORT) {
      throw new IllegalArgumentException("port is " + port + "; 0 to " + MAX_PORT + " is allowed");
    }
  }

  /** Returns the usual options: a free port, written to this file. */
  public static GatewayOptions at(Path connectionFile) {
    return new GatewayOptions(connectionFile, 0);
  }
}
