package dev.twinrank.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** The contract's fixture bundle, in a folder that a container can read. */
final class Fixture {
  static final ObjectMapper JSON = new ObjectMapper();

  private static final Path BUNDLE =
      Path.of(System.getProperty("basedir"))
          .resolve("../../tests/contract/vectors/bundles/tiny/1")
          .normalize();

  private Fixture() {}

  /** Copies the bundle below a folder of models; by default nobody but its owner could read it. */
  static Path copyTo(Path models) throws IOException {
    Path version = models.resolve("tiny/1");
    try (Stream<Path> files = Files.walk(BUNDLE)) {
      for (Path file : files.toList()) {
        Path copy = version.resolve(BUNDLE.relativize(file).toString());
        Files.createDirectories(copy.getParent());
        if (!Files.isDirectory(file)) {
          Files.copy(file, copy);
          open(copy);
        }
      }
    }
    try (Stream<Path> all = Files.walk(models)) {
      for (Path folder : all.filter(Files::isDirectory).toList()) {
        open(folder);
      }
    }
    return version;
  }

  static byte[] request(int golden) throws IOException {
    return line("goldens/requests.jsonl", golden);
  }

  static JsonNode expected(int golden) throws IOException {
    return JSON.readTree(line("goldens/rankings.jsonl", golden));
  }

  /** The value of bits as a golden stores them: 8 hexadecimal digits for float32, else float64. */
  static double value(String stored) {
    return stored.length() == Float.BYTES * 2
        ? Float.intBitsToFloat(HexFormat.fromHexDigits(stored))
        : Double.longBitsToDouble(HexFormat.fromHexDigitsToLong(stored));
  }

  /** The value of a number of an answer, in which NaN and the infinities are words. */
  static double value(JsonNode answered) {
    return answered.isTextual() ? Double.parseDouble(answered.textValue()) : answered.doubleValue();
  }

  // Through Latin-1, which keeps every byte: a request need not be UTF-8.
  private static byte[] line(String file, int number) throws IOException {
    List<String> lines = Files.readAllLines(BUNDLE.resolve(file), StandardCharsets.ISO_8859_1);
    return lines.get(number).getBytes(StandardCharsets.ISO_8859_1);
  }

  private static void open(Path path) {
    if (!path.toFile().setReadable(true, false)
        || (Files.isDirectory(path) && !path.toFile().setExecutable(true, false))) {
      throw new AssertionError(path + " cannot be made readable");
    }
  }
}
