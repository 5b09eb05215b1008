package dev.twinrank.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** The contract's fixture bundle and what Python wrote down as its answers. */
public final class Tiny {
  public static final ObjectMapper JSON = new ObjectMapper();
  public static final Path CONTRACT =
      Path.of(System.getProperty("basedir")).resolve("../../tests/contract").normalize();

  /** A directory as {@code --models} takes it: the generator beside the bundle is no model. */
  public static final Path MODELS = CONTRACT.resolve("vectors/bundles");

  public static final Path BUNDLE = MODELS.resolve("tiny/1");

  // The fixture's evidence names a host class of zeros, so no host opens it for bits.
  public static final ModelOptions OPTIONS =
      ModelOptions.builder().require(Require.REFERENCE).build();

  private Tiny() {}

  public static Model open() {
    return Model.open(BUNDLE, OPTIONS);
  }

  /** The raw requests of the goldens, in order. */
  public static List<byte[]> requests() {
    return lines(BUNDLE.resolve("goldens/requests.jsonl"));
  }

  /** What each must give, in the same order. */
  public static List<JsonNode> goldens() {
    return lines(BUNDLE.resolve("goldens/rankings.jsonl")).stream().map(Tiny::json).toList();
  }

  /** The cases of every file of request vectors, of which there must be some. */
  public static List<JsonNode> requestVectors() {
    List<JsonNode> cases = new ArrayList<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(CONTRACT.resolve("vectors"), "requests*.json")) {
      files.forEach(file -> json(read(file)).get("cases").forEach(cases::add));
    } catch (IOException e) {
      throw new UncheckedIOException("the contract has lost its vectors", e);
    }
    if (cases.isEmpty()) {
      throw new AssertionError("there are no request vectors");
    }
    return cases;
  }

  public static JsonNode json(byte[] text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(new String(text, StandardCharsets.UTF_8), e);
    }
  }

  public static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException("the contract has lost " + file, e);
    }
  }

  /** Copies the bundle to a version's directory. */
  public static void copyTo(Path version) throws IOException {
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

  // Through Latin-1, which keeps every byte: a request need not be UTF-8.
  private static List<byte[]> lines(Path file) {
    return new String(read(file), StandardCharsets.ISO_8859_1)
        .lines()
        .map(line -> line.getBytes(StandardCharsets.ISO_8859_1))
        .toList();
  }

  /** Copies the bundle and lets its manifest say that a finding was allowed at export. */
  public static Path allowing(Path version, String finding) throws IOException {
    copyTo(version);
    Path manifest = version.resolve("manifest.json");
    String text = Files.readString(manifest);
    String allowed =
        text.replace(
            "\"allowed\": []",
            "\"allowed\": [{\"finding\": \"%s\", \"detail\": \"d\", \"reason\": \"r\\nWARN s\"}]"
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
}
