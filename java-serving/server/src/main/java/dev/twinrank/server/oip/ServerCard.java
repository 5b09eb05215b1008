package dev.twinrank.server.oip;

import java.util.List;

/**
 * What the server says of itself, whatever asks. Immutable and thread-safe.
 *
 * @param name the server's name
 * @param version its version
 * @param extensions the extensions of the protocol that it has
 */
public record ServerCard(String name, String version, List<String> extensions) {
  private static final List<String> EXTENSIONS =
      List.of(
          "binary_tensor_data",
          "model_configuration",
          "model_repository",
          "parameters",
          "schedule_policy",
          "statistics");

  /** Copies the extensions. */
  public ServerCard {
    extensions = List.copyOf(extensions);
  }

  /** Returns the card of this server. */
  public static ServerCard of(String version) {
    return new ServerCard("twinrank", version, EXTENSIONS);
  }
}
