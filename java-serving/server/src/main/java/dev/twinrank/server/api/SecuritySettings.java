package dev.twinrank.server.api;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Who may connect, and how. Immutable and thread-safe.
 *
 * @param tls the certificate of both listeners; empty for plain HTTP
 * @param tokens what clients of the service must bring one of; empty if they need none
 * @param adminTokens what clients of the admin listener must bring one of; empty if they need none
 * @param insecure whether it may listen beyond loopback without the above
 */
public record SecuritySettings(
    Optional<Tls> tls, Optional<Tokens> tokens, Optional<Tokens> adminTokens, boolean insecure) {
  /** Nothing, which is fit for loopback. */
  public static final SecuritySettings NONE =
      new SecuritySettings(Optional.empty(), Optional.empty(), Optional.empty(), false);

  /**
   * Returns what is missing for an address; none if it may be listened on.
   *
   * @param admin whether the admin listener listens there too
   */
  public List<String> missing(InetAddress host, boolean admin) {
    if (insecure || host.isLoopbackAddress()) {
      return List.of();
    }
    List<String> missing = new ArrayList<>();
    if (tls.isEmpty()) {
      missing.add("--tls-cert and --tls-key");
    }
    if (tokens.isEmpty()) {
      missing.add("--token-file");
    }
    if (admin && adminTokens.isEmpty()) {
      missing.add("--admin-token-file (or --admin-port -1)");
    }
    return missing;
  }
}
