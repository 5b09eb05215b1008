package dev.twinrank.probe;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** The contract's fixture bundle and what Python wrote down as its answers. */
final class Tiny {
  static final ObjectMapper JSON = new ObjectMapper();

  static final Path BUNDLE =
      Path.of(System.getProperty("basedir"))
          .resolve("../../tests/contract/vectors/bundles/tiny/1")
          .normalize();

  private Tiny() {}

  /** The raw requests, in order. */
  static List<byte[]> requests() {
    return lines("goldens/requests.jsonl");
  }

  /** What each must give, in the same order. */
  static List<JsonNode> goldens() {
    return lines("goldens/rankings.jsonl").stream().map(Tiny::json).toList();
  }

  // Through Latin-1, which keeps every byte: a request need not be UTF-8.
  private static List<byte[]> lines(String file) {
    return new String(read(file), StandardCharsets.ISO_8859_1)
        .lines()
        .map(line -> line.getBytes(StandardCharsets.ISO_8859_1))
        .toList();
  }

  static byte[] read(String file) {
    try {
      return Files.readAllBytes(BUNDLE.resolve(file));
    } catch (IOException e) {
      throw new UncheckedIOException("the contract has lost " + file, e);
    }
  }

  static JsonNode json(byte[] text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(new String(text, StandardCharsets.UTF_8), e);
    }
  }

  /** Copies the bundle and lets its manifest say that a finding was allowed at export. */
  static Path allowing(Path version, String finding) throws IOException {
    copyTo(version);
    Path manifest = version.resolve("manifest.json");
    String text = Files.readString(manifest);
    String allowed =
        text.replace(
            "\"allowed\": []",
            "\"allowed\": [{\"finding\": \"%s\", \"detail\": \"d\", \"reason\": \"r\"}]"
                .formatted(finding));
    if (allowed.equals(text)) {
      throw new AssertionError("the fixture allows something already");
    }
    Files.writeString(manifest, allowed);
    Files.writeString(version.resolve("manifest.sha256"), sha256(allowed) + "\n");
    return version;
  }

  private static String sha256(String text) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static void copyTo(Path version) throws IOException {
    try (Stream<Path> files = Files.walk(BUNDLE)) {
      for (Path file : files.toList()) {
        Path copy = version.resolve(BUNDLE.relativize(file).toString());
        Files.createDirectories(copy.getParent());
        if (!Files.isDirectory(file)) {
          Files.copy(file, copy);
        }
      }
    }
  }
}
