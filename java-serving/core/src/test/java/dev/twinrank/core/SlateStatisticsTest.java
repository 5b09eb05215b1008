package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ScoringListener.Event;
import dev.twinrank.core.Statistics.FeatureCounts;
import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.pack.Counts;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What a slate absorbs, refuses and takes of time is counted as it is for any other request. */
class SlateStatisticsTest {
  private static final int SEED = 20261123;
  private static final int SCHEMAS = 60;
  private static final int REQUESTS = 6;
  private static final int MAX = 100;
  private static final String FEATURE =
      "{\"name\": \"%s\", \"placement\": \"%s\", \"dtype\": \"%s\", \"missing\": {\"policy\":"
          + " \"%s\"}, \"invalid\": {\"policy\": \"%s\"}}";
  private static final Schema SCHEMA =
      Vectors.schemaOf(
          String.join(
              ", ",
              FEATURE.formatted("user", "context", "int64", "error", "error"),
              FEATURE.formatted("city", "context", "string", "own_row", "own_row"),
              FEATURE.formatted("item", "candidate", "string", "own_row", "own_row"),
              FEATURE.formatted("brand", "candidate", "string", "own_row", "error"),
              FEATURE.formatted("price", "candidate", "float32", "error", "error"),
              FEATURE.formatted("stock", "candidate", "float64", "own_row", "own_row")));
  private static final String LONE = "\ud800";

  private final Handle.OfLong user = SCHEMA.integer("user");
  private final Handle.OfString city = SCHEMA.string("city");
  private final Handle.OfString item = SCHEMA.string("item");
  private final Handle.OfString brand = SCHEMA.string("brand");
  private final Handle.OfDouble price = SCHEMA.number("price");
  private final Handle.OfDouble stock = SCHEMA.number("stock");

  private final List<Event> heard = new ArrayList<>();
  private final FakeGraph graph = new FakeGraph(SCHEMA, MAX, heard::add);

  private Event last() {
    return heard.get(heard.size() - 1);
  }

  private FeatureCounts of(String feature) {
    return graph.observation.snapshot().features().stream()
        .filter(counts -> counts.feature().name().equals(feature))
        .findFirst()
        .orElseThrow();
  }

  /** Missing: the values that the sample has not. Invalid: what the reader of JSON counts. */
  @Test
  void absorbsAsManyValuesOfEachFeatureAsTheSameRequestInJson() {
    long missing = 0;
    long invalid = 0;
    for (int i = 0; i < SCHEMAS; i++) {
      Samples samples = new Samples(new SplitMix(SEED, i));
      FakeGraph random = new FakeGraph(samples.schema(), 1000);
      try (Slate slate = random.scoring.lease(0)) {
        for (int j = 0; j < REQUESTS; j++) {
          Sample sample = samples.request(j % 2 == 1);
          String name = "seed " + SEED + ", schema " + i + ", request " + j + ": " + sample;
          Counts json = new Counts(random.plan);
          if (sample.asJson(random, json).refusal() != null) {
            continue;
          }
          for (boolean byRow : new boolean[] {true, false}) {
            Sample.Outcome ignored =
                byRow ? sample.byRow(random, slate) : sample.byColumn(random, slate);
            // Asked to be whole again, as a slate that is scored twice is: no value counts twice.
            random.bytes(slate);
            List<Feature> places = new ArrayList<>(random.plan.schema().context());
            places.addAll(random.plan.schema().candidate());
            for (int place = 0; place < places.size(); place++) {
              Feature feature = places.get(place);
              assertEquals(
                  absent(sample, feature), slate.counts().missing(place), feature + " of " + name);
              assertEquals(json.missing(place), slate.counts().missing(place), name);
              assertEquals(json.invalid(place), slate.counts().invalid(place), name);
              missing += json.missing(place);
              invalid += json.invalid(place);
            }
            assertEquals(sample.candidates().size(), slate.counts().candidates(), name);
          }
        }
      }
    }
    assertTrue(missing > SCHEMAS && invalid > SCHEMAS, missing + " missing, " + invalid);
  }

  private static int absent(Sample sample, Feature feature) {
    if (feature.placement() == Placement.CONTEXT) {
      return sample.context().get(feature.name()) == null ? 1 : 0;
    }
    return (int)
        sample.candidates().stream().filter(each -> each.get(feature.name()) == null).count();
  }

  @Test
  void whatWasAbsorbedIsAddedToTheModelOnceACall() {
    try (Slate slate = graph.scoring.lease(3)) {
      slate.set(user, 1);
      slate.set(city, LONE);
      slate.column(item, new String[] {null, LONE, LONE});
      slate.column(price, new double[] {1, 2, 3});
      slate.column(stock, new double[] {Double.NaN, 0, 0});
      graph.scoring.rank(slate, 2, null);
      graph.scoring.scores(slate, null);
      // The next request in the same memory begins at nothing.
      slate.reset(1);
      slate.set(user, 1);
      slate.set(0, item, "a");
      slate.set(0, price, 1.0);
      graph.scoring.scores(slate, null);
    }
    Statistics statistics = graph.observation.snapshot();
    assertEquals(3, statistics.answered());
    assertEquals(3 + 3 + 1, statistics.candidates());
    assertEquals(2 * 1, of("city").invalid());
    assertEquals(1, of("city").missing());
    assertEquals(2 * 2, of("item").invalid());
    assertEquals(2 * 1, of("item").missing());
    assertEquals(2 * 3 + 1, of("brand").missing());
    assertEquals(2 * 1, of("stock").invalid());
    assertEquals(1, of("stock").missing());
    assertEquals(0, of("user").missing() + of("price").missing());
  }

  @Test
  void aSlateThatIsRefusedIsOneRequestHoweverOftenItIsUsedAfterwards() {
    Cancellation cancelled = Cancellation.create();
    cancelled.cancel();
    try (Slate slate = graph.scoring.lease(2)) {
      slate.column(item, new String[] {LONE, "b"});
      assertThrows(ScoringException.class, () -> slate.column(brand, new String[] {"a", LONE}));
      assertThrows(IllegalStateException.class, () -> slate.set(user, 1));
      assertThrows(IllegalStateException.class, () -> graph.scoring.rank(slate, 1, null));
      slate.reset(2);
      slate.set(user, 1);
      slate.set(0, price, 1.0);
      assertThrows(ScoringException.class, () -> graph.scoring.rank(slate, 1, null));
      assertThrows(IllegalStateException.class, () -> graph.scoring.rank(slate, 1, null));
      slate.reset(0);
      slate.set(user, 1);
      assertThrows(ScoringException.class, () -> graph.scoring.rank(slate, -1, null));
      assertThrows(ScoringException.class, () -> graph.scoring.rank(slate, 1, cancelled));
      assertThrows(ScoringException.class, () -> slate.reset(MAX + 1));
      assertThrows(IllegalStateException.class, () -> slate.set(user, 1));
    }
    assertThrows(ScoringException.class, () -> graph.scoring.lease(MAX + 1));
    Statistics statistics = graph.observation.snapshot();
    assertEquals(
        Map.of(
            ErrorCode.INVALID_STRING, 1L,
            ErrorCode.MISSING_FEATURE, 1L,
            ErrorCode.INVALID_REQUEST, 1L,
            ErrorCode.CANCELLED, 1L,
            ErrorCode.TOO_MANY_CANDIDATES, 2L),
        statistics.refusals());
    assertEquals(6, statistics.requests());
    assertEquals(6, heard.size());
    assertEquals(0, statistics.answered());
    assertEquals(0, statistics.candidates());
    assertEquals(Map.of(ErrorCode.INVALID_STRING, 1L), of("brand").refused());
    assertEquals(Map.of(ErrorCode.MISSING_FEATURE, 1L), of("price").refused());
    // What was absorbed before the refusal counts.
    assertEquals(1, of("item").invalid());
  }

  @Test
  void whatTheGraphRefusesIsOneRequestToo() {
    List<Event> events = new ArrayList<>();
    ModelOptions options =
        ModelOptions.builder()
            .require(ModelOptions.Require.REFERENCE)
            .listener(events::add)
            .build();
    try (Model model = Model.open(Tiny.path(), options);
        Slate slate = model.slate(2)) {
      Schema schema = model.schema();
      slate.set(schema.integer("when"), 0);
      slate.set(schema.number("budget"), 0L);
      slate.set(schema.string("region"), "nowhere");
      slate.column(schema.integer("stock"), new long[] {1, 1});
      slate.column(schema.number("quality"), new long[] {1, 1});
      slate.column(schema.number("margin"), new long[] {1, 1});
      ScoringException refusal = assertThrows(ScoringException.class, () -> model.rank(slate, 1));
      assertEquals(ErrorCode.UNSEEN_VALUE, refusal.code());
      assertEquals(Map.of(ErrorCode.UNSEEN_VALUE, 1L), model.statistics().refusals());
      assertEquals(1, model.statistics().requests());
      FeatureCounts region =
          model.statistics().features().stream()
              .filter(counts -> counts.feature().name().equals("region"))
              .findFirst()
              .orElseThrow();
      assertEquals(OptionalLong.of(1), region.unseen());
      assertEquals(List.of("unseen_value"), events.stream().map(Event::outcome).toList());
      assertTrue(events.get(0).runNanos() >= 0);
      assertEquals(-1, events.get(0).orderNanos());
    }
  }

  @Test
  void columnsOfStringsAndOfKeysAreTimedAsKeysAndNothingElseIs() {
    try (Slate slate = graph.scoring.lease(2)) {
      slate.set(user, 1);
      slate.set(0, item, "a");
      slate.column(price, new double[] {1, 2});
      graph.scoring.rank(slate, 1, null);
      assertEquals(-1, last().keysNanos());
      assertTrue(last().packNanos() >= 0 && last().runNanos() >= 0 && last().orderNanos() >= 0);

      slate.column(brand, new String[] {"a", "b"});
      graph.scoring.scores(slate, null);
      long keys = last().keysNanos();
      long pack = last().packNanos();
      assertTrue(keys >= 0 && pack >= 0 && last().runNanos() >= 0);
      assertEquals(-1, last().orderNanos());

      // Scored again it is an event again, with the same time of encoding.
      graph.scoring.rank(slate, 1, null);
      assertEquals(keys, last().keysNanos());
      assertTrue(last().packNanos() >= pack && last().orderNanos() >= 0);

      slate.reset(2);
      slate.set(user, 1);
      slate.column(item, List.of("a", "b"));
      slate.column(price, new double[] {1, 2});
      graph.scoring.scores(slate, null);
      assertTrue(last().keysNanos() >= 0);

      slate.reset(2);
      slate.set(user, 1);
      slate.keys(item, new long[] {1, 2});
      slate.column(price, new double[] {1, 2});
      graph.scoring.scores(slate, null);
      assertTrue(last().keysNanos() >= 0);

      slate.reset(0);
      slate.set(user, 1);
      graph.scoring.rank(slate, 1, null);
      assertEquals(List.of(-1L, -1L), List.of(last().keysNanos(), last().runNanos()));
      assertEquals("ok", last().outcome());
    }
  }

  @Test
  void aRefusalTellsTheTimesOfTheStagesThatWereReached() {
    try (Slate slate = graph.scoring.lease(2)) {
      slate.column(item, new String[] {"a", "b"});
      assertThrows(ScoringException.class, () -> slate.column(brand, new String[] {LONE, "b"}));
      assertTrue(last().keysNanos() >= 0);
      assertEquals(List.of(-1L, -1L), List.of(last().runNanos(), last().orderNanos()));
      assertEquals(2, last().candidates());
    }
  }
}
