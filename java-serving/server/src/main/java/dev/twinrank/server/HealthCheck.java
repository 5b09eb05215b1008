package dev.twinrank.server;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/**
 * Asks the server of the same machine whether it is ready, and exits with 0 or 1: a container's
 * health check, where there is no curl. It uses the JDK alone, so that it starts in a tenth of a
 * second.
 *
 * @since 0.1
 */
public final class HealthCheck {
  private static final int TIMEOUT_MILLIS = 3_000;
  private static final int MOST_BYTES = 2_048;
  private static final String LOOPBACK = "127.0.0.1";
  private static final String NONE = "-1";
  private static final String CERTIFICATE = "TWINRANK_TLS_CERT";
  private static final String PATH = "/health/ready";

  private HealthCheck() {}

  /**
   * Asks once.
   *
   * @param args none: the environment says where the server listens, as it does to the server
   */
  public static void main(String[] args) {
    String address = address(System.getenv());
    boolean ready;
    try {
      ready = ask(address, Optional.ofNullable(System.getenv(CERTIFICATE)).map(Path::of));
    } catch (GeneralSecurityException | IOException e) {
      System.err.printf(Locale.ROOT, "%s cannot be asked: %s%n", address, e);
      ready = false;
    }
    System.exit(ready ? 0 : 1);
  }

  /**
   * Returns where to ask: the admin listener, which answers when the service's is busy, else the
   * service's; by loopback where they listen on every interface.
   */
  static String address(Map<String, String> environment) {
    String service = environment.getOrDefault("TWINRANK_PORT", "8080");
    String admin = environment.getOrDefault("TWINRANK_ADMIN_PORT", NONE);
    String host = environment.getOrDefault("TWINRANK_HOST", LOOPBACK);
    if (host.equals("0.0.0.0") || host.equals("::")) {
      host = LOOPBACK;
    }
    return "%s://%s:%s%s"
        .formatted(
            environment.containsKey(CERTIFICATE) ? "https" : "http",
            host.contains(":") ? "[" + host + "]" : host,
            admin.equals(NONE) ? service : admin,
            PATH);
  }

  /** Asks where there is no TLS. */
  static boolean ask(String address) throws GeneralSecurityException, IOException {
    return ask(address, Optional.empty());
  }

  /**
   * Returns whether the server answers 200 there; prints in one line why not.
   *
   * @param certificate the server's own, which is the only one that is trusted, whatever name it is
   *     for: it is this machine that is asked
   */
  static boolean ask(String address, Optional<Path> certificate)
      throws GeneralSecurityException, IOException {
    Optional<SSLSocketFactory> tls = Optional.empty();
    if (certificate.isPresent()) {
      tls = Optional.of(trusting(certificate.get()));
    }
    try {
      HttpURLConnection connection =
          (HttpURLConnection) new URL(address).openConnection(Proxy.NO_PROXY);
      if (connection instanceof HttpsURLConnection https && tls.isPresent()) {
        https.setSSLSocketFactory(tls.get());
        https.setHostnameVerifier((host, session) -> true);
      }
      connection.setConnectTimeout(TIMEOUT_MILLIS);
      connection.setReadTimeout(TIMEOUT_MILLIS);
      connection.setInstanceFollowRedirects(false);
      connection.setUseCaches(false);
      int status = connection.getResponseCode();
      if (status == HttpURLConnection.HTTP_OK) {
        return true;
      }
      System.err.printf(
          Locale.ROOT, "%s answers %d %s%n", address, status, said(connection.getErrorStream()));
    } catch (IOException e) {
      System.err.printf(Locale.ROOT, "%s does not answer: %s%n", address, e);
    }
    return false;
  }

  private static SSLSocketFactory trusting(Path file) throws GeneralSecurityException, IOException {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream in = Files.newInputStream(file)) {
      trusted.setCertificateEntry(
          "own", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context.getSocketFactory();
  }

  private static String said(InputStream body) throws IOException {
    if (body == null) {
      return "";
    }
    try (body) {
      return new String(body.readNBytes(MOST_BYTES), StandardCharsets.UTF_8);
    }
  }
}
