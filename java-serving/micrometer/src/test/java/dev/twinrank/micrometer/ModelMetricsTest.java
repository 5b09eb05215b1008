package dev.twinrank.micrometer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Statistics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ModelMetricsTest {
  static final Path BUNDLE =
      Path.of(System.getProperty("basedir", ""))
          .toAbsolutePath()
          .resolve("../../tests/contract/vectors/bundles/tiny/1")
          .normalize();
  private static final byte[] SOUND =
      utf8(
          "{\"context\": {\"when\": 0, \"budget\": 0, \"age\": \"x\"}, \"candidates\": ["
              + "{\"stock\": 1, \"quality\": 0.5, \"margin\": 2}]}");

  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final ModelMetrics metrics = new ModelMetrics(registry);

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private Model open() {
    return Model.open(
        BUNDLE, ModelOptions.builder().require(Require.REFERENCE).listener(metrics).build());
  }

  private double counted(String name, String... tags) {
    return registry
        .get(name)
        .tags("model", "tiny", "version", "1")
        .tags(tags)
        .functionCounter()
        .count();
  }

  private long timed(String stage) {
    return registry.get("rec.stage").tags("model", "tiny", "stage", stage).timer().count();
  }

  private static void traffic(Model model) {
    model.rank(model.parse(SOUND));
    model.score(model.parse(SOUND));
    assertThrows(ScoringException.class, () -> model.parse(utf8("{")));
    byte[] unseen =
        utf8(
            "{\"context\": {\"when\": 0, \"budget\": 0, \"region\": \"nowhere\"}, \"candidates\": ["
                + "{\"stock\": 1, \"quality\": 0.5, \"margin\": 2}]}");
    assertThrows(ScoringException.class, () -> model.rank(model.parse(unseen)));
  }

  @Test
  void everyMeterTellsWhatTheModelCounts() {
    try (Model model = open()) {
      traffic(model);
      ModelMetrics.Binding binding = metrics.bind(model);
      assertEquals(2, counted("rec.model.requests", "outcome", "ok"));
      assertEquals(1, counted("rec.model.requests", "outcome", "invalid_json"));
      assertEquals(1, counted("rec.model.requests", "outcome", "unseen_value"));
      assertEquals(0, counted("rec.model.requests", "outcome", "scoring_failed"));
      assertEquals(2, counted("rec.model.candidates"));
      assertEquals(2, counted("rec.feature.invalid", "feature", "age"));
      assertEquals(3, counted("rec.feature.missing", "feature", "item"));
      assertEquals(1, counted("rec.feature.unseen", "feature", "region"));
      assertEquals(1, counted("rec.feature.refused", "feature", "region"));
      assertEquals(0, counted("rec.listener.failures"));
      Statistics statistics = model.statistics();
      for (Statistics.OutputCounts output : statistics.outputs()) {
        String head = output.output().name();
        assertEquals(
            (double) output.nan(), counted("rec.score.nonfinite", "head", head, "value", "nan"));
        assertEquals(
            (double) output.infinite(),
            counted("rec.score.nonfinite", "head", head, "value", "infinite"));
      }
      // Only where the graph tells: of features whose policy for unseen values is error.
      assertEquals(
          statistics.features().stream().filter(each -> each.unseen().isPresent()).count(),
          registry.get("rec.feature.unseen").functionCounters().size());
      binding.close();
    }
  }

  @Test
  void stagesAreTimedWhereTheyWereReached() {
    try (Model model = open()) {
      traffic(model);
      assertEquals(4, timed("pack"));
      assertEquals(3, timed("run"));
      assertEquals(1, timed("order"));
      assertEquals(0, timed("keys"));
    }
  }

  @Test
  void aBindingThatIsClosedLeavesNothingAndTheNextModelIsCountedAnew() {
    try (Model model = open()) {
      traffic(model);
      ModelMetrics.Binding binding = metrics.bind(model);
      assertTrue(registry.getMeters().size() > 100);
      binding.close();
      binding.close();
      assertEquals(0, registry.getMeters().size());
    }
    try (Model model = open()) {
      ModelMetrics.Binding unused = metrics.bind(model);
      assertEquals(0, counted("rec.model.requests", "outcome", "ok"));
    }
  }
}
