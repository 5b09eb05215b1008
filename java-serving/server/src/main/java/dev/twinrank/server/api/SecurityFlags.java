package dev.twinrank.server.api;

import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The command line's options of {@link SecuritySettings}. Not thread-safe. */
public final class SecurityFlags {
  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description =
          "a certificate chain in PEM: both listeners speak TLS 1.2 and 1.3 only; read again as it changes")
  private Path certificate;

  @Option(names = "--tls-key", paramLabel = "FILE", description = "its key in PEM (PKCS#8)")
  private Path key;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description =
          "bearer tokens, one a line: without one of them the service answers 401 to all but health and /docs;"
              + " read again as it changes")
  private Path tokens;

  @Option(
      names = "--admin-token-file",
      paramLabel = "FILE",
      description = "the same for the admin listener, metrics included")
  private Path adminTokens;

  @Option(
      names = "--insecure",
      description =
          "listen beyond loopback without TLS and tokens: for what stands behind something that has both")
  private boolean insecure;

  /**
   * Returns the settings.
   *
   * @throws ParameterException if a file does not hold what it should
   */
  public SecuritySettings settings(CommandSpec spec) {
    if ((certificate == null) != (key == null)) {
      throw new ParameterException(
          spec.commandLine(),
          certificate == null
              ? "--tls-key is given and --tls-cert is not; give both"
              : "--tls-cert is given and --tls-key is not; give both");
    }
    Optional<Tls> tls = Optional.ofNullable(certificate).map(chain -> new Tls(chain, key));
    try {
      tls.ifPresent(Tls::check);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--tls-cert: " + e.getMessage(), e);
    }
    return new SecuritySettings(
        tls,
        read(spec, "--token-file", tokens),
        read(spec, "--admin-token-file", adminTokens),
        insecure);
  }

  private static Optional<Tokens> read(CommandSpec spec, String option, Path file) {
    try {
      return Optional.ofNullable(file).map(Tokens::of);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), option + ": " + e.getMessage(), e);
    }
  }
}
