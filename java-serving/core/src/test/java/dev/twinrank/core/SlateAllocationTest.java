package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** What a call leaves on the heap, counted by the JVM. */
class SlateAllocationTest {
  private static final int CALLS = 400;
  private static final int ROUNDS = 5;
  private static final int CANDIDATES = 200;
  private static final int FEW = 20;
  private static final int WANTED = 10;
  private static final int TOLERANCE = 128;
  private static final String POLICY =
      ", \"missing\": {\"policy\": \"own_row\"}, \"invalid\": {\"policy\": \"own_row\"}}";
  private static final Schema SCHEMA =
      Vectors.schemaOf(
          "{\"name\": \"user\", \"placement\": \"context\", \"dtype\": \"int64\""
              + POLICY
              + ", {\"name\": \"seen\", \"placement\": \"context\", \"dtype\": \"string\","
              + " \"list\": {\"max_length\": 50, \"keep\": \"last\"},"
              + " \"missing\": {\"policy\": \"default\", \"value\": []},"
              + " \"invalid\": {\"policy\": \"error\"}}"
              + ", {\"name\": \"item\", \"placement\": \"candidate\", \"dtype\": \"string\""
              + POLICY
              + ", {\"name\": \"price\", \"placement\": \"candidate\", \"dtype\": \"float32\""
              + POLICY
              + ", {\"name\": \"fresh\", \"placement\": \"candidate\", \"dtype\": \"bool\""
              + POLICY
              + ", {\"name\": \"stock\", \"placement\": \"candidate\", \"dtype\": \"int64\""
              + POLICY);

  private final Handle.OfLong user = SCHEMA.integer("user");
  private final Handle.OfStrings seen = SCHEMA.strings("seen");
  private final Handle.OfString item = SCHEMA.string("item");
  private final Handle.OfDouble price = SCHEMA.number("price");
  private final Handle.OfBool fresh = SCHEMA.bool("fresh");
  private final Handle.OfLong stock = SCHEMA.integer("stock");
  private final String[] items = new String[CANDIDATES];
  private final double[] prices = new double[CANDIDATES];
  private final boolean[] freshness = new boolean[CANDIDATES];
  private final List<String> history = List.of("242", "caf\u00e9", "\ud83d\ude00");

  /** Keeps results alive, so that no compiler leaves them out. */
  @SuppressWarnings("unused")
  private Object sink;

  private SlateAllocationTest() {
    for (int i = 0; i < CANDIDATES; i++) {
      items[i] = i % 9 == 0 ? null : "item \u00e9 " + i;
      prices[i] = i % 7 == 0 ? Double.NaN : i / 3.0;
    }
  }

  /** Returns the bytes a call, in the round that had the fewest strangers in it. */
  private long bytes(Supplier<Object> call) throws ReflectiveOperationException {
    long least = Long.MAX_VALUE;
    for (int round = 0; round < ROUNDS; round++) {
      long all =
          Allocation.of(
              () -> {
                for (int i = 0; i < CALLS; i++) {
                  sink = call.get();
                }
              });
      least = Math.min(least, all / CALLS);
    }
    return least;
  }

  private void write(Slate slate) {
    slate.reset(CANDIDATES);
    slate.set(user, 196);
    slate.set(seen, history);
    slate.column(item, items);
    slate.column(price, prices);
    slate.column(fresh, freshness);
    for (int i = 0; i < CANDIDATES; i++) {
      slate.set(i, stock, 120L);
    }
  }

  @Test
  void writingAndScoringAllocatesTheResultAndNothingElse() throws ReflectiveOperationException {
    FakeGraph graph = new FakeGraph(SCHEMA, 1000);
    Scores.Layout layout = new Scores.Layout(List.of(), FakeGraph.SCORE);
    try (Slate slate = graph.scoring.lease(CANDIDATES)) {
      write(slate);
      long result = bytes(() -> layout.copy(slate.finish()));
      assertTrue(result >= CANDIDATES * Float.BYTES, "a result has bytes: " + result);
      assertEquals(
          result,
          bytes(
              () -> {
                write(slate);
                return graph.scoring.scores(slate, null);
              }));
    }
  }

  @Test
  void rankingAllocatesTheResultAndNothingElse() throws ReflectiveOperationException {
    FakeGraph graph = new FakeGraph(SCHEMA, 1000);
    Scores.Layout layout = new Scores.Layout(List.of(), FakeGraph.SCORE);
    try (Slate slate = graph.scoring.lease(CANDIDATES)) {
      write(slate);
      graph.scoring.scores(slate, null);
      Scores scores = layout.copy(slate.finish());
      long order = bytes(() -> new Ranking(scores, scores.order(WANTED)));
      // A ranking, its order, and two arrays of which one holds the places.
      assertTrue(order <= 120 + WANTED * Integer.BYTES, order + " bytes to order");
      long result = bytes(() -> layout.copy(slate.finish()));
      assertEquals(
          result + order,
          bytes(
              () -> {
                write(slate);
                return graph.scoring.rank(slate, WANTED, null);
              }));
    }
  }

  @Test
  void ontoTheBindingsOwnOnlyTheResultIsAdded() throws ReflectiveOperationException {
    try (Model model = Tiny.open();
        Slate slate = model.slate(0)) {
      Handle.OfLong when = model.schema().integer("when");
      Handle.OfDouble budget = model.schema().number("budget");
      Handle.OfLong inStock = model.schema().integer("stock");
      Handle.OfDouble quality = model.schema().number("quality");
      Handle.OfDouble margin = model.schema().number("margin");
      Supplier<Object> call =
          () -> {
            slate.reset(FEW);
            slate.set(when, 0);
            slate.set(budget, 0);
            for (int i = 0; i < FEW; i++) {
              slate.set(i, inStock, 1);
              slate.set(i, quality, 0.5);
              slate.set(i, margin, 2);
            }
            return model.scores(slate);
          };
      long all = bytes(call);
      Scores.Layout layout = new Scores.Layout(model.heads(), model.score());
      Workspace workspace = slate.finish();
      long result = bytes(() -> layout.copy(workspace));
      long binding = bytes(() -> raw(workspace));
      System.out.printf(
          "a call allocates %d bytes: the result %d, the engine %d%n", all, result, binding);
      // What the binding makes and the compiler spares depends on what is compiled by then.
      assertTrue(all <= result + binding + TOLERANCE, all + " bytes a call");
    }
  }

  private static Object raw(Workspace workspace) {
    try {
      workspace.run(null);
      return workspace;
    } catch (GraphFailure e) {
      throw new AssertionError(e);
    }
  }
}
