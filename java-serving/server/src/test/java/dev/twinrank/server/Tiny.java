package dev.twinrank.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The contract's fixture bundle and what Python wrote down as its answers. */
final class Tiny {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Path CONTRACT =
      Path.of(System.getProperty("basedir")).resolve("../../tests/contract").normalize();

  /** A directory as {@code --models} takes it: the generator beside the bundle is no model. */
  static final Path MODELS = CONTRACT.resolve("vectors/bundles");

  static final Path BUNDLE = MODELS.resolve("tiny/1");

  // The fixture's evidence names a host class of zeros, so no host opens it for bits.
  static final ModelOptions OPTIONS = ModelOptions.builder().require(Require.REFERENCE).build();

  private Tiny() {}

  static Model open() {
    return Model.open(BUNDLE, OPTIONS);
  }

  /** The raw requests of the goldens, in order. */
  static List<byte[]> requests() {
    return lines(BUNDLE.resolve("goldens/requests.jsonl"));
  }

  /** What each must give, in the same order. */
  static List<JsonNode> goldens() {
    return lines(BUNDLE.resolve("goldens/rankings.jsonl")).stream().map(Tiny::json).toList();
  }

  static JsonNode json(byte[] text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(new String(text, StandardCharsets.UTF_8), e);
    }
  }

  static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException("the contract has lost " + file, e);
    }
  }

  /** Copies the bundle to a version's directory. */
  static void copyTo(Path version) throws IOException {
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
}
