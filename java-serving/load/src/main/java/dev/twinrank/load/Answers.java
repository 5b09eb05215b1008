package dev.twinrank.load;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the answers must be: for each name (a bundle, say) one body a request. An answer that equals
 * no one name's body is mixed. Confined to the event loop.
 */
final class Answers {
  /** The name of answers that nobody should give. */
  static final String MIXED = "mixed";

  private static final int EXAMPLES = 5;

  private final Map<String, List<byte[]>> expected = new LinkedHashMap<>();
  private final List<String> examples = new ArrayList<>();

  /**
   * Reads a file that {@link #write} wrote.
   *
   * @throws IllegalArgumentException if it has another number of lines than there are requests
   */
  void read(String name, Path file, int requests) throws IOException {
    List<byte[]> bodies =
        Files.readAllLines(file).stream().map(Base64.getDecoder()::decode).toList();
    if (bodies.size() != requests) {
      throw new IllegalArgumentException(
          "%s has %d answers, and there are %d requests".formatted(file, bodies.size(), requests));
    }
    expected.put(name, bodies);
  }

  boolean any() {
    return !expected.isEmpty();
  }

  /** Returns whose answer it is: a name, or {@link #MIXED}. */
  String whose(Exchange exchange) {
    for (Map.Entry<String, List<byte[]>> each : expected.entrySet()) {
      byte[] body = each.getValue().get(exchange.index);
      if (Arrays.equals(body, 0, body.length, exchange.body(), 0, exchange.length())) {
        return each.getKey();
      }
    }
    if (examples.size() < EXAMPLES) {
      String body = new String(exchange.body(), 0, exchange.length(), StandardCharsets.UTF_8);
      examples.add(
          "request %d: %s"
              .formatted(exchange.index, body.substring(0, Math.min(400, body.length()))));
    }
    return MIXED;
  }

  /** Returns the first answers that nobody should have given. */
  List<String> examples() {
    return examples;
  }

  /** Writes bodies, one in base64 a line. */
  static void write(Path file, List<byte[]> bodies) {
    try (Writer writer = Files.newBufferedWriter(file)) {
      for (byte[] body : bodies) {
        writer.write(Base64.getEncoder().encodeToString(body));
        writer.write('\n');
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
