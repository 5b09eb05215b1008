package dev.twinrank.server.api;

import com.linecorp.armeria.common.TlsKeyPair;
import com.linecorp.armeria.common.TlsProvider;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.ServerTlsConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificate that the listeners show. Immutable and thread-safe.
 *
 * @param certificate a PEM file with the chain, the server's own first
 * @param key a PEM file with its key in PKCS#8, without a password
 * @param look how often both are looked at again
 */
public record Tls(Path certificate, Path key, Duration look) {
  private static final Logger LOG = LoggerFactory.getLogger(Tls.class);
  private static final Duration LOOK = Duration.ofSeconds(10);

  /** Looks at the files again every ten seconds. */
  public Tls(Path certificate, Path key) {
    this(certificate, key, LOOK);
  }

  /**
   * Makes sure that the files hold a certificate and its key.
   *
   * @throws IllegalArgumentException if they do not
   */
  public void check() {
    read();
  }

  private TlsKeyPair read() {
    try {
      return TlsKeyPair.of(key.toFile(), certificate.toFile());
    } catch (RuntimeException e) {
      throw new IllegalArgumentException(
          "%s and %s are no certificate and key in PEM (PKCS#8, no password): %s"
              .formatted(certificate, key, reason(e)),
          e);
    }
  }

  private static String reason(Throwable e) {
    return e.getCause() == null || e.getCause() == e ? e.toString() : reason(e.getCause());
  }

  /** Lets a listener speak TLS 1.2 and 1.3, with HTTP/2 where the client can. */
  public void apply(ServerBuilder builder) {
    builder.tlsProvider(
        TlsProvider.ofScheduled(new Reloading(), look),
        ServerTlsConfig.builder()
            .tlsCustomizer(context -> context.protocols("TLSv1.3", "TLSv1.2"))
            .build());
  }

  /** Gives what the files hold, and while they hold no pair what they held before. */
  private final class Reloading implements Supplier<TlsKeyPair> {
    private TlsKeyPair last;
    private String failure = "";

    @Override
    public synchronized TlsKeyPair get() {
      try {
        TlsKeyPair found = read();
        if (last != null && !found.equals(last)) {
          LOG.info("{} was read again: connections from now on see it", certificate);
        }
        last = found;
        failure = "";
      } catch (IllegalArgumentException e) {
        if (last == null) {
          throw e;
        }
        if (!failure.equals(e.getMessage())) { // once for what is wrong, and not every ten seconds
          LOG.warn("the certificate of before holds: {}", e.getMessage());
          failure = e.getMessage();
        }
      }
      return last;
    }
  }
}
