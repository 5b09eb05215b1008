package dev.twinrank.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The bundle's goldens are the expectation: Python wrote them at export. */
class RankWithGradleTest {
  private static final Path BUNDLE = Path.of(System.getProperty("twinrank.bundle"));

  @Test
  void printsTheBitsThatTheBundleExpects() throws IOException {
    List<String> expected = Files.readAllLines(BUNDLE.resolve("goldens/rankings.jsonl"));
    ModelOptions options = ModelOptions.builder().require(Require.REFERENCE).build();

    try (Model model = Model.open(BUNDLE, options)) {
      List<String> printed = RankWithGradle.replay(model, BUNDLE.resolve("goldens/requests.jsonl"));

      assertFalse(printed.isEmpty());
      assertEquals(bits(expected), bits(printed));
    }
  }

  // What both lines have word for word: data_set is only in the golden, and order there is not cut by k.
  private static List<String> bits(List<String> lines) {
    return lines.stream()
        .map(line -> line.replaceAll("\"data_set\": (\\d+|null), ", "").replaceAll(", \"order\": .*", ""))
        .toList();
  }
}
