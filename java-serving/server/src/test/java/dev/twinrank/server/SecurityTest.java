package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.linecorp.armeria.common.TlsKeyPair;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.api.SecuritySettings;
import dev.twinrank.server.api.Tls;
import dev.twinrank.server.api.Tokens;
import dev.twinrank.server.life.ModelDirectory;
import dev.twinrank.server.life.StartException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** TLS, tokens, and where the server may listen without them. */
class SecurityTest {
  private static final String RANK = "/v1/models/tiny:rank";
  private static final String FIRST = "first-token-0123456789";
  private static final String SECOND = "second-token-0123456789";
  private static final String ADMIN = "admin-token-0123456789==";
  private static final Duration LIMIT = Duration.ofSeconds(60);

  @TempDir private Path folder;

  private static RankServer serving(SecuritySettings security) {
    RankServer server = new RankServer(Settings.loopback().with(security));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    return server;
  }

  private Path file(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }

  private static Answer get(Http http, String path, String authorization) {
    HttpRequest.Builder request = http.request(path).GET();
    return http.send(
        authorization.isEmpty() ? request : request.header("Authorization", authorization));
  }

  @Test
  void withoutATokenAllButHealthAndTheDescriptionIsRefused() throws IOException {
    Path tokens = file("tokens", FIRST + "\n\n" + SECOND + "\n");
    try (RankServer server =
        serving(
            new SecuritySettings(
                Optional.empty(), Optional.of(Tokens.of(tokens)), Optional.empty(), false))) {
      Http http = new Http(server.url());

      Answer none = http.post(RANK, Tiny.requests().get(0));
      assertEquals(401, none.status());
      assertEquals("application/problem+json", none.contentType());
      assertEquals("unauthorized", none.json().get("code").textValue());
      assertEquals("Bearer realm=\"twinrank\"", none.header("www-authenticate"));
      for (String path : List.of("/v1/models", "/metrics", "/v2", "/nowhere", "/health/live/")) {
        assertEquals(401, http.get(path).status(), path);
      }
      for (String path : List.of("/health/live", "/health/ready", "/openapi.json", "/docs")) {
        assertEquals(200, http.get(path).status(), path);
      }
      for (String wrong :
          List.of(
              "Bearer",
              "Bearer ",
              "Bearer " + FIRST + "x",
              "Bearer " + FIRST.substring(1),
              "Bearer " + FIRST + " " + SECOND,
              "Basic " + FIRST,
              FIRST)) {
        Answer answer = get(http, "/v1/models", wrong);
        assertEquals(401, answer.status(), wrong);
        assertEquals(
            "Bearer realm=\"twinrank\", error=\"invalid_token\"",
            answer.header("www-authenticate"));
        assertFalse(new String(answer.body(), StandardCharsets.UTF_8).contains("token-0"));
      }
      for (String right : List.of("Bearer " + FIRST, "bearer " + SECOND)) {
        assertEquals(200, get(http, "/v1/models", right).status());
      }
      String scraped =
          new String(get(http, "/metrics", "Bearer " + FIRST).body(), StandardCharsets.UTF_8);
      assertTrue(scraped.contains("rec_unauthorized_total{listener=\"service\"} 13.0"), scraped);
      assertTrue(
          scraped.contains(
              "http_request_method=\"GET\",http_response_status_code=\"401\",http_route=\"/v1/models\"}"),
          scraped);
      assertEquals(
          200,
          new Http(server.adminUrl().orElseThrow()).get("/metrics").status(),
          "no admin token");
    }
  }

  @Test
  void theAdminListenerHasTokensOfItsOwn() throws IOException {
    try (RankServer server =
        serving(
            new SecuritySettings(
                Optional.empty(),
                Optional.of(Tokens.of(file("tokens", FIRST))),
                Optional.of(Tokens.of(file("admin", ADMIN))),
                false))) {
      Http admin = new Http(server.adminUrl().orElseThrow());
      assertEquals(200, get(admin, "/metrics", "Bearer " + ADMIN).status());
      assertEquals(401, get(admin, "/metrics", "Bearer " + FIRST).status());
      assertEquals(200, get(admin, "/health/ready", "").status());
    }
  }

  @Test
  void tokensChangeWithTheirFileAndSurviveABadOne() throws IOException {
    Path file = file("tokens", FIRST);
    Tokens tokens = Tokens.of(file);
    assertTrue(tokens.accepts("Bearer " + FIRST));

    replace(file, "short", 1);
    tokens.look();
    assertTrue(tokens.accepts("Bearer " + FIRST), "what is no token changes nothing");
    replace(file, SECOND, 2);
    assertTimeoutPreemptively(LIMIT, () -> untilLooked(tokens, SECOND));
    assertFalse(tokens.accepts("Bearer " + FIRST));
  }

  private static void replace(Path file, String text, int seconds) throws IOException {
    Files.writeString(file, text);
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(seconds)));
  }

  private static void untilLooked(Tokens tokens, String token) {
    while (!tokens.accepts("Bearer " + token)) {
      Thread.onSpinWait();
    }
  }

  @Test
  void aFileOfTokensSaysWhichLineIsNoneAndNotWhatItHolds() throws IOException {
    Path bad = file("bad", FIRST + "\nhunter2 is short\n");
    String message =
        assertThrows(IllegalArgumentException.class, () -> Tokens.of(bad)).getMessage();
    assertTrue(message.contains("line 2"), message);
    assertFalse(message.contains("hunter2"), message);
    Path empty = file("empty", "\n\n");
    assertThrows(IllegalArgumentException.class, () -> Tokens.of(empty));
    assertThrows(IllegalArgumentException.class, () -> Tokens.of(folder.resolve("none")));
  }

  private Tls certificate(TlsKeyPair pair) throws Exception {
    Path chain = folder.resolve("chain.pem");
    Path key = folder.resolve("key.pem");
    Files.writeString(folder.resolve("next"), pem("PRIVATE KEY", pair.privateKey().getEncoded()));
    Files.move(folder.resolve("next"), key, StandardCopyOption.REPLACE_EXISTING);
    Files.writeString(
        folder.resolve("next"), pem("CERTIFICATE", pair.certificateChain().get(0).getEncoded()));
    Files.move(folder.resolve("next"), chain, StandardCopyOption.REPLACE_EXISTING);
    return new Tls(chain, key, Duration.ofMillis(50));
  }

  private static String pem(String label, byte[] der) {
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n"
        .formatted(label, Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der), label);
  }

  private static SSLContext trusting(X509Certificate certificate) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    store.setCertificateEntry("server", certificate);
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context;
  }

  @Test
  void bothListenersSpeakTlsAndTheNewCertificateIsSeenWithoutARestart() throws Exception {
    TlsKeyPair first = TlsKeyPair.ofSelfSigned("localhost");
    TlsKeyPair second = TlsKeyPair.ofSelfSigned("localhost");
    Tls tls = certificate(first);
    tls.check();
    try (RankServer server =
        serving(
            new SecuritySettings(Optional.of(tls), Optional.empty(), Optional.empty(), false))) {
      assertTrue(server.url().startsWith("https://127.0.0.1:"), server.url());
      SSLContext trusted = trusting(first.certificateChain().get(0));
      for (HttpClient.Version version : HttpClient.Version.values()) {
        for (String base : List.of(server.url(), server.adminUrl().orElseThrow())) {
          HttpResponse<String> answer =
              HttpClient.newBuilder()
                  .version(version)
                  .sslContext(trusted)
                  .build()
                  .send(
                      HttpRequest.newBuilder(
                              URI.create(base.replace("127.0.0.1", "localhost") + "/health/ready"))
                          .build(),
                      BodyHandlers.ofString());
          assertEquals(200, answer.statusCode());
          assertEquals(version, answer.version(), "HTTP/2 by ALPN");
        }
      }
      assertEquals("TLSv1.3", protocol(trusted, server.port(), "TLSv1.3", "TLSv1.2"));
      assertEquals("TLSv1.2", protocol(trusted, server.port(), "TLSv1.2"));
      assertThrows(
          IOException.class,
          () ->
              new Http("http://127.0.0.1:" + server.port())
                  .exchange(new Http("http://127.0.0.1:" + server.port()).request("/health/live")));
      assertTrue(HealthCheck.ask(server.url() + "/health/ready", Optional.of(tls.certificate())));

      Files.writeString(tls.key(), "no key");
      assertEquals("TLSv1.3", protocol(trusted, server.port(), "TLSv1.3"), "the pair of before");
      certificate(second);
      SSLContext trustingNew = trusting(second.certificateChain().get(0));
      assertTimeoutPreemptively(LIMIT, () -> untilTrusted(trustingNew, server.port()));
    }
  }

  private static String protocol(SSLContext context, int port, String... protocols)
      throws IOException {
    try (SSLSocket socket =
        (SSLSocket)
            context.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port)) {
      socket.setEnabledProtocols(protocols);
      socket.startHandshake();
      return socket.getSession().getProtocol();
    }
  }

  private static void untilTrusted(SSLContext context, int port) throws IOException {
    while (true) {
      try {
        protocol(context, port, "TLSv1.3");
        return;
      } catch (SSLException e) {
        Thread.onSpinWait(); // still the certificate of before
      }
    }
  }

  @Test
  void beyondLoopbackItListensOnlyWithTlsAndTokensOrWhenTold() throws Exception {
    StartException refused =
        assertThrows(StartException.class, () -> new RankServer(everywhere(SecuritySettings.NONE)));
    assertEquals(
        List.of(
            "--host 0.0.0.0 is not loopback, and --tls-cert and --tls-key, --token-file, --admin-token-file"
                + " (or --admin-port -1) is missing; give it, or --insecure if something in front of the server"
                + " has TLS and authentication"),
        refused.problems());
    InetAddress host = InetAddress.getByAddress(new byte[] {(byte) 192, 0, 2, 1});
    SecuritySettings whole =
        new SecuritySettings(
            Optional.of(certificate(TlsKeyPair.ofSelfSigned())),
            Optional.of(Tokens.of(file("tokens", FIRST))),
            Optional.of(Tokens.of(file("admin", ADMIN))),
            false);
    assertEquals(List.of(), whole.missing(host, true));
    SecuritySettings half =
        new SecuritySettings(whole.tls(), whole.tokens(), Optional.empty(), false);
    assertEquals(1, half.missing(host, true).size());
    assertEquals(List.of(), half.missing(host, false));
    SecuritySettings told =
        new SecuritySettings(Optional.empty(), Optional.empty(), Optional.empty(), true);
    assertEquals(List.of(), told.missing(host, true));
    assertEquals(List.of(), SecuritySettings.NONE.missing(InetAddress.getLoopbackAddress(), true));
  }

  private static Settings everywhere(SecuritySettings security) {
    Settings loopback = Settings.loopback();
    return new Settings(
        "0.0.0.0",
        0,
        OptionalInt.of(0),
        loopback.flow(),
        loopback.life(),
        loopback.ops(),
        security);
  }

  @Test
  void whatTheFilesDoNotHoldIsAWrongOption() throws IOException {
    Path noKey = file("key.pem", "no key");
    for (List<String> options :
        List.of(
            List.of("--tls-cert", noKey.toString()),
            List.of("--tls-key", noKey.toString()),
            List.of("--tls-cert", noKey.toString(), "--tls-key", noKey.toString()),
            List.of("--token-file", folder.resolve("none").toString()),
            List.of("--admin-token-file", noKey.toString()))) {
      StringWriter err = new StringWriter();
      CommandLine command = new CommandLine(new ServerMain()).setErr(new PrintWriter(err, true));
      List<String> all = new ArrayList<>(List.of("--models", folder.toString()));
      all.addAll(options);
      assertEquals(2, command.execute(all.toArray(String[]::new)), err.toString());
      assertTrue(err.toString().contains(options.get(0)), err.toString());
    }
  }
}
