package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerMainTest {
  @TempDir private Path folder;

  private Fork fork(String... options) throws IOException {
    return new Fork(folder, options);
  }

  private Fork serving() throws IOException {
    return fork(
        "--models",
        Tiny.MODELS.toString(),
        "--require",
        "reference",
        "--port",
        "0",
        "--port-file",
        folder.resolve("port").toString());
  }

  @Test
  void itSaysWhereItServesWhatAndWhatThatProved() throws IOException, InterruptedException {
    try (Fork server = serving()) {
      Http http = server.ready();
      String digest = http.get("/v1/models/tiny").json().get("bundle").textValue();
      assertEquals(200, http.post("/v1/models/tiny:rank", Tiny.requests().get(0)).status());
      server.terminate();

      assertEquals(143, server.exitStatus());
      assertTrue(
          server
              .err()
              .matches(
                  "(?s).*ready at http://127\\.0\\.0\\.1:\\d+ after \\d+\\.\\d\\d s: tiny/1 "
                      + digest
                      + " verified-reference \\("
                      + Tiny.goldens().size()
                      + " goldens\\)\n.*"),
          server.err());
      assertEquals("", server.out());
      assertFalse(Files.exists(server.portFile()));
    }
  }

  @Test
  void thePortOfAServerThatWasKilledIsGoneBeforeTheNextOneLoads()
      throws IOException, InterruptedException {
    // No model there: this start ends before it could have written a port of its own.
    Files.createDirectory(folder.resolve("models"));
    Files.writeString(folder.resolve("port"), "4711\n");
    try (Fork server =
        fork(
            "--models",
            folder.resolve("models").toString(),
            "--port",
            "0",
            "--port-file",
            folder.resolve("port").toString())) {
      assertEquals(1, server.exitStatus());
      assertFalse(Files.exists(server.portFile()));
    }
  }

  @Test
  void aBundleThatFailsIsNoStart() throws IOException, InterruptedException {
    Tiny.copyTo(folder.resolve("models/tiny/1"));
    Files.delete(folder.resolve("models/tiny/1/model.onnx"));
    Tiny.copyTo(folder.resolve("models/other/1"));
    Files.writeString(folder.resolve("models/other/1/surplus"), "x");
    try (Fork server =
        fork(
            "--models",
            folder.resolve("models").toString(),
            "--port",
            "0",
            "--port-file",
            folder.resolve("port").toString())) {
      assertEquals(1, server.exitStatus());
      assertTrue(server.err().contains("cannot start"), server.err());
      assertTrue(server.err().contains("file_missing: model.onnx"), server.err());
      assertTrue(server.err().contains("file_unexpected: surplus"), server.err());
      assertFalse(server.err().contains("\tat "), server.err());
      assertFalse(Files.exists(server.portFile()));
    }
  }

  private String publicKey() throws IOException {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      byte[] encoded = generator.generateKeyPair().getPublic().getEncoded();
      return Files.writeString(
              folder.resolve("key.pem"),
              "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n"
                  .formatted(Base64.getEncoder().encodeToString(encoded)))
          .toString();
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aKeyMeansThatEveryBundleMustBeSigned() throws IOException, InterruptedException {
    try (Fork server =
        fork(
            "--models",
            Tiny.MODELS.toString(),
            "--require",
            "reference",
            "--port",
            "0",
            "--public-key",
            publicKey())) {
      assertEquals(1, server.exitStatus());
      assertTrue(server.err().contains("signature_missing: model.sig"), server.err());
    }
  }

  @Test
  void underWarnABundleThatIsNotSignedServesAndSaysSo() throws IOException, InterruptedException {
    try (Fork server =
        fork(
            "--models",
            Tiny.MODELS.toString(),
            "--require",
            "reference",
            "--port",
            "0",
            "--port-file",
            folder.resolve("port").toString(),
            "--public-key",
            publicKey(),
            "--signature",
            "warn",
            "--installation",
            "trust_record")) {
      Http http = server.ready();
      assertEquals("missing", http.get("/v1/models/tiny").json().get("signature").textValue());
      server.terminate();
      assertEquals(143, server.exitStatus());
      assertTrue(server.err().contains("is not signed"), server.err());
      assertTrue(server.err().contains(" goldens, signature missing)"), server.err());
    }
  }

  @Test
  void anAddressThatIsTakenIsNoStart() throws IOException, InterruptedException {
    try (ServerSocket taken =
            new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
        Fork server =
            fork(
                "--models",
                Tiny.MODELS.toString(),
                "--port",
                Integer.toString(taken.getLocalPort()))) {
      assertEquals(1, server.exitStatus());
      assertTrue(
          server.err().contains("cannot listen on 127.0.0.1 port " + taken.getLocalPort() + ": "),
          server.err());
      assertTrue(server.err().contains("--port 0 takes a free one"), server.err());
      assertFalse(server.err().contains("\tat "), server.err());
    }
  }

  @Test
  void aWrongOptionIsUsage() throws IOException, InterruptedException {
    for (List<String> options :
        List.of(
            List.<String>of(),
            List.of("--models", "x", "--port", "65536"),
            List.of("--models", "x", "--max-body", "0"),
            List.of("--models", "x", "--require", "hope"),
            List.of("--models", "x", "--signature", "hope"),
            List.of("--models", "x", "--signature", "require"),
            List.of("--models", "x", "--signature", "warn"),
            List.of("--models", "x", "--public-key", folder.resolve("absent.pem").toString()),
            List.of("--models", "x", "--public-key", Tiny.BUNDLE.resolve("model.onnx").toString()),
            List.of("--models", "x", "--installation", "hope"),
            List.of("--models", "x", "--hope"))) {
      try (Fork server = fork(options.toArray(String[]::new))) {
        assertEquals(2, server.exitStatus(), options.toString());
        assertFalse(server.err().isBlank());
        assertTrue(server.err().endsWith("\n  to do: twinrank-server --help\n"), server.err());
        assertTrue(server.err().lines().count() <= 3, server.err());
      }
    }
  }

  @Test
  void aKeyFileThatIsNotThereIsToldInOneLine() throws IOException, InterruptedException {
    try (Fork server = fork("--models", "x", "--public-key", "nope.pem")) {
      assertEquals(2, server.exitStatus());
      assertEquals(
          "--public-key: the key file nope.pem does not exist\n  to do: twinrank-server --help\n",
          server.err());
    }
  }

  @Test
  void aSignalWhileModelsAreLoadingEndsItToo() throws IOException, InterruptedException {
    // Models of other names are refused at once, and the signal came after the last of them.
    for (int i = 0; i < 64; i++) {
      named("m%02d".formatted(i));
    }
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    try (Fork server =
        fork(
            "--models",
            folder.resolve("models").toString(),
            "--require",
            "reference",
            "--port",
            Integer.toString(port))) {
      Http http = new Http("http://127.0.0.1:" + port);
      while (!live(http)) {
        assertTrue(server.alive(), server.err());
      }
      assertEquals("not_ready", http.get("/health/ready").json().get("code").textValue());
      server.interrupt();

      assertEquals(130, server.exitStatus());
      assertTrue(server.err().contains("stopped while loading"), server.err());
      assertFalse(server.crashed());
    }
  }

  private void named(String name) throws IOException {
    Path model = folder.resolve("models").resolve(name).resolve("1");
    Tiny.copyTo(model);
    Path manifest = model.resolve("manifest.json");
    String text =
        Files.readString(manifest).replace("\"name\": \"tiny\"", "\"name\": \"" + name + "\"");
    Files.writeString(manifest, text);
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      Files.writeString(model.resolve("manifest.sha256"), HexFormat.of().formatHex(digest) + "\n");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean live(Http http) {
    try {
      return http.exchange(http.request("/health/live")).status() == 200;
    } catch (IOException e) {
      return false;
    }
  }
}
