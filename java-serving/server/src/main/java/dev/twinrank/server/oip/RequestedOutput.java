package dev.twinrank.server.oip;

import java.util.Map;

/**
 * An output that a request names. Immutable and thread-safe.
 *
 * @param name the output's name
 * @param parameters strings, booleans, integers ({@link Long}) and floats ({@link Double})
 */
public record RequestedOutput(String name, Map<String, Object> parameters) {
  /** Copies the parameters. */
  public RequestedOutput {
    parameters = Map.copyOf(parameters);
  }
}
