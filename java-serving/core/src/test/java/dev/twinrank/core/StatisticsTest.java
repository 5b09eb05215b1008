package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Statistics.FeatureCounts;
import dev.twinrank.core.Statistics.OutputCounts;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class StatisticsTest {

  private static FeatureCounts of(Model model, String feature) {
    return model.statistics().features().stream()
        .filter(counts -> counts.feature().name().equals(feature))
        .findFirst()
        .orElseThrow();
  }

  private static ErrorCode refuse(Model model, String json) {
    return assertThrows(
            ScoringException.class, () -> model.rank(model.parse(Tiny.utf8(json))), json)
        .code();
  }

  @Test
  void openingAndWarmUpCountNothing() {
    try (Model model = Tiny.open()) {
      Statistics none = model.statistics();
      assertEquals(0, none.requests());
      assertEquals(0, none.candidates());
      assertEquals(Map.of(), none.refusals());
      assertEquals(
          model.schema().features(), none.features().stream().map(FeatureCounts::feature).toList());
      for (FeatureCounts counts : none.features()) {
        assertEquals(0, counts.missing() + counts.invalid() + counts.unseen().orElse(0));
      }
      List<Head> outputs = new ArrayList<>(model.heads());
      outputs.add(model.score());
      assertEquals(outputs, none.outputs().stream().map(OutputCounts::output).toList());
    }
  }

  /** The expected values come from the schema: what the request leaves out, and no more. */
  @Test
  void everyFeatureThatARequestLeavesOutIsMissingOnceARequestOrOnceACandidate() {
    try (Model model = Tiny.open()) {
      model.rank(model.parse(Tiny.request(3)));
      model.score(model.parse(Tiny.request(2)));
      for (FeatureCounts counts : model.statistics().features()) {
        Feature feature = counts.feature();
        int times = feature.placement() == Placement.CONTEXT ? 2 : 5;
        assertEquals(
            feature.missing() == Policy.ERROR ? 0 : times, counts.missing(), feature.name());
        assertEquals(0, counts.invalid(), feature.name());
      }
      assertEquals(2, model.statistics().requests());
      assertEquals(2, model.statistics().answered());
      assertEquals(5, model.statistics().candidates());
    }
  }

  @Test
  void aRequestThatIsScoredTwiceCountsTwiceAndOneThatIsNeverScoredDoesNot() {
    try (Model model = Tiny.open()) {
      model.parse(Tiny.request(1));
      assertEquals(0, model.statistics().requests());
      RankRequest request = model.parse(Tiny.request(1));
      model.score(request);
      model.rank(request);
      assertEquals(2, model.statistics().requests());
      assertEquals(2, of(model, "user").missing());
      assertEquals(2, of(model, "item").missing());
    }
  }

  @Test
  void whatWasAbsorbedBeforeARefusalCountsAndWhatStandsBehindItDoesNot() {
    try (Model model = Tiny.open()) {
      ErrorCode code =
          refuse(
              model,
              "{\"context\": {\"when\": 0, \"budget\": 0, \"age\": \"x\"}, \"candidates\": ["
                  + "{\"stock\": 1, \"quality\": 1, \"margin\": 1, \"price\": \"x\","
                  + " \"part_key\": [\"a\", 1, 2]},"
                  + "{\"stock\": \"x\", \"quality\": 1, \"margin\": 1, \"price\": \"x\"}]}");
      assertEquals(ErrorCode.WRONG_TYPE, code);
      Statistics statistics = model.statistics();
      assertEquals(1, statistics.requests());
      assertEquals(0, statistics.answered());
      assertEquals(0, statistics.candidates());
      assertEquals(Map.of(ErrorCode.WRONG_TYPE, 1L), statistics.refusals());
      assertEquals(1, of(model, "age").invalid());
      assertEquals(1, of(model, "price").invalid());
      assertEquals(1, of(model, "part_key").invalid());
      assertEquals(1, of(model, "item").missing());
      assertEquals(1, of(model, "user").missing());
      assertEquals(Map.of(ErrorCode.WRONG_TYPE, 1L), of(model, "stock").refused());
    }
  }

  @Test
  void aBuilderThatRefusesIsOneRequest() {
    try (Model model = Tiny.open()) {
      RankRequest.Builder builder = model.request().context("when", 0L).context("age", "x");
      assertThrows(ScoringException.class, () -> builder.context("when2", 0L));
      assertThrows(IllegalStateException.class, () -> builder.context("budget", 0L));
      assertThrows(ScoringException.class, () -> model.request().k(-1));
      assertThrows(ScoringException.class, () -> model.request().build());
      assertThrows(ScoringException.class, () -> model.request().candidate().candidate());
      assertEquals(
          Map.of(
              ErrorCode.UNKNOWN_FEATURE, 1L,
              ErrorCode.INVALID_REQUEST, 1L,
              ErrorCode.MISSING_FEATURE, 2L),
          model.statistics().refusals());
      assertEquals(4, model.statistics().requests());
      assertEquals(1, of(model, "age").invalid());
      assertEquals(Map.of(ErrorCode.MISSING_FEATURE, 1L), of(model, "when").refused());
    }
  }

  @Test
  void unseenValuesAreKnownOnlyWhereTheGraphCountsThem() {
    String candidate = "{\"stock\": 1, \"quality\": 1, \"margin\": 1, \"shelf\": 987654}";
    try (Model model = Tiny.open()) {
      assertEquals(
          ErrorCode.UNSEEN_VALUE,
          refuse(
              model,
              "{\"context\": {\"when\": 0, \"budget\": 0, \"region\": \"nowhere\","
                  + " \"labels\": [\"none\", \"neither\", \"cut off\"]}, \"candidates\": ["
                  + candidate
                  + ","
                  + candidate
                  + "]}"));
      assertEquals(OptionalLong.of(1), of(model, "region").unseen());
      assertEquals(OptionalLong.of(2), of(model, "labels").unseen());
      assertEquals(OptionalLong.of(2), of(model, "shelf").unseen());
      assertEquals(OptionalLong.empty(), of(model, "brand").unseen());
      assertEquals(OptionalLong.empty(), of(model, "stock").unseen());
      // The first problem is the request's only one.
      assertEquals(Map.of(ErrorCode.UNSEEN_VALUE, 1L), of(model, "region").refused());
      assertEquals(Map.of(), of(model, "shelf").refused());
      assertEquals(Map.of(ErrorCode.UNSEEN_VALUE, 1L), model.statistics().refusals());
    }
  }

  /** The expected values are the bits that the goldens store. */
  @Test
  void nanAndInfinityAreCountedInEveryHeadAsTheGoldensStoreThem() {
    try (Model model = Tiny.open()) {
      List<Map<String, Object>> rankings = Tiny.rankings();
      long[] nan = new long[model.heads().size() + 1];
      long[] infinite = new long[nan.length];
      long dropped = 0;
      for (int i = 0; i < rankings.size(); i++) {
        Map<String, Object> golden = rankings.get(i);
        byte[] request = Tiny.utf8(Tiny.requests().get(i));
        if (golden.containsKey("error")) {
          assertThrows(ScoringException.class, () -> model.rank(model.parse(request)));
          continue;
        }
        dropped += model.rank(model.parse(request)).dropped().size();
        for (int head = 0; head < nan.length; head++) {
          boolean score = head == model.heads().size();
          Head of = score ? model.score() : model.heads().get(head);
          Object values =
              score ? golden.get("score") : Contract.object(golden.get("heads")).get(of.name());
          for (Object hex : values == null ? List.of() : (List<?>) values) {
            double value =
                of.dtype() == DType.FLOAT32
                    ? Float.intBitsToFloat(Integer.parseUnsignedInt((String) hex, 16))
                    : Double.longBitsToDouble(Long.parseUnsignedLong((String) hex, 16));
            nan[head] += Double.isNaN(value) ? 1 : 0;
            infinite[head] += Double.isInfinite(value) ? 1 : 0;
          }
        }
      }
      List<OutputCounts> counted = model.statistics().outputs();
      for (int head = 0; head < nan.length; head++) {
        assertEquals(nan[head], counted.get(head).nan(), counted.get(head).output().name());
        assertEquals(
            infinite[head], counted.get(head).infinite(), counted.get(head).output().name());
      }
      assertTrue(nan[1] > 0 && infinite[2] > 0 && dropped > 0, "the goldens show no such value");
      assertEquals(dropped, counted.get(counted.size() - 1).nan());
    }
  }

  @Test
  void noCountIsLostAmongThreads() throws Exception {
    int threads = 4;
    int rounds = 25;
    Map<ErrorCode, Long> expected = new EnumMap<>(ErrorCode.class);
    long answered = 0;
    for (Map<String, Object> golden : Tiny.rankings()) {
      if (golden.get("error") instanceof String code) {
        expected.merge(
            ErrorCode.valueOf(code.toUpperCase(Locale.ROOT)), 1L * threads * rounds, Long::sum);
      } else {
        answered += (long) threads * rounds;
      }
    }
    ExecutorService callers = Executors.newFixedThreadPool(threads);
    try (Model model = Tiny.open()) {
      Callable<Void> traffic =
          () -> {
            for (int round = 0; round < rounds; round++) {
              for (String request : Tiny.requests()) {
                try {
                  model.rank(model.parse(Tiny.utf8(request)));
                } catch (ScoringException e) {
                  assertTrue(expected.containsKey(e.code()));
                }
              }
            }
            return null;
          };
      for (Future<Void> call : callers.invokeAll(List.of(traffic, traffic, traffic, traffic))) {
        call.get();
      }
      assertEquals(expected, model.statistics().refusals());
      assertEquals(answered, model.statistics().answered());
    } finally {
      callers.shutdownNow();
    }
  }

  /** Without the work of a request between two counts, so that the threads do meet. */
  @Test
  void noCountIsLostWhereThreadsDoNothingButCount() throws Exception {
    int threads = 4;
    int rounds = 50_000;
    RankRequest request;
    ScoringException refusal;
    try (Model model = Tiny.open()) {
      request = model.parse(Tiny.request(2));
      refusal = assertThrows(ScoringException.class, () -> model.parse(Tiny.utf8("{")));
    }
    Observation observation =
        new Observation(
            "m",
            OptionalLong.empty(),
            "",
            request.plan().schema(),
            List.of(),
            List.of(
                event -> {
                  throw new IllegalStateException("counted as well");
                }));
    CyclicBarrier together = new CyclicBarrier(threads);
    Callable<Void> counting =
        () -> {
          Thread.currentThread().setUncaughtExceptionHandler((thread, thrown) -> {});
          together.await();
          for (int i = 0; i < rounds; i++) {
            observation.answered(request.counts(), 2, Stages.OFF);
            observation.refused(request.counts(), 2, refusal, Stages.OFF);
          }
          return null;
        };
    ExecutorService callers = Executors.newFixedThreadPool(threads);
    try {
      for (Future<Void> call : callers.invokeAll(Collections.nCopies(threads, counting))) {
        call.get();
      }
    } finally {
      callers.shutdownNow();
    }
    long each = (long) threads * rounds;
    Statistics statistics = observation.snapshot();
    assertEquals(2 * each, statistics.requests());
    assertEquals(each, statistics.answered());
    assertEquals(2 * each, statistics.candidates());
    assertEquals(Map.of(ErrorCode.INVALID_JSON, each), statistics.refusals());
    assertEquals(2 * each, statistics.listenerFailures());
    assertEquals(
        2 * 2 * each,
        statistics.features().stream()
            .filter(counts -> counts.feature().name().equals("item"))
            .findFirst()
            .orElseThrow()
            .missing());
  }

  @Test
  void anAnswerIsCountedWithoutAllocatingAndWithoutAClock() throws Exception {
    PackPlan plan;
    try (Model model = Tiny.open()) {
      plan = model.parse(Tiny.request(1)).plan();
    }
    Observation observation =
        new Observation("m", OptionalLong.empty(), "", plan.schema(), List.of(), List.of());
    assertSame(Stages.OFF, observation.stages());
    Counts counts = new Counts(plan);
    observation.answered(counts, 7, observation.stages());
    long allocated =
        Allocation.of(
            () -> {
              for (int i = 0; i < 10_000; i++) {
                observation.answered(counts, 7, observation.stages());
              }
            });
    assertTrue(allocated < 10_000, () -> allocated + " bytes for 10,000 requests");
    assertEquals(10_001, observation.snapshot().requests());
    Stages.OFF.begin();
    Stages.OFF.run();
    assertEquals(-1, Stages.OFF.runNanos());
  }
}
