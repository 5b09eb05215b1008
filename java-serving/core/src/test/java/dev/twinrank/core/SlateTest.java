package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.bundle.Vectors;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class SlateTest {
  private static final String ERROR =
      ", \"missing\": {\"policy\": \"error\"}, \"invalid\": {\"policy\": \"error\"}}";
  private static final String SOFT =
      ", \"missing\": {\"policy\": \"own_row\"}, \"invalid\": {\"policy\": \"own_row\"}}";
  private static final String LIST = ", \"list\": {\"max_length\": 3, \"keep\": \"last\"}";
  private static final String SOFT_LIST =
      LIST
          + ", \"missing\": {\"policy\": \"default\", \"value\": []},"
          + " \"invalid\": {\"policy\": \"error\"}}";
  private static final Schema SCHEMA =
      Vectors.schemaOf(
          feature("user", "context", "int64", ERROR)
              + feature("seen", "context", "string", SOFT_LIST)
              + feature("item", "candidate", "string", ERROR)
              + feature("price", "candidate", "float32", ERROR)
              + feature("stock", "candidate", "int64", SOFT)
              + feature("tags", "candidate", "string", SOFT_LIST).replaceFirst(", $", ""));

  private static final int ROUNDS = 500;

  private final FakeGraph graph = new FakeGraph(SCHEMA, 100);
  private final Handle.OfLong user = SCHEMA.integer("user");
  private final Handle.OfStrings seen = SCHEMA.strings("seen");
  private final Handle.OfString item = SCHEMA.string("item");
  private final Handle.OfDouble price = SCHEMA.number("price");
  private final Handle.OfLong stock = SCHEMA.integer("stock");
  private final Handle.OfStrings tags = SCHEMA.strings("tags");

  private static String feature(String name, String placement, String dtype, String rest) {
    return "{\"name\": \""
        + name
        + "\", \"placement\": \""
        + placement
        + "\", \"dtype\": \""
        + dtype
        + "\""
        + rest
        + ", ";
  }

  private Slate full(int candidates) {
    Slate slate = graph.scoring.lease(candidates);
    fill(slate);
    return slate;
  }

  private void fill(Slate slate) {
    slate.set(user, 196);
    for (int i = 0; i < slate.candidates(); i++) {
      slate.set(i, item, "item " + i);
      slate.set(i, price, i / 2.0);
    }
  }

  private static void assertCode(
      ErrorCode code, String feature, OptionalInt candidate, Executable call) {
    ScoringException refusal = assertThrows(ScoringException.class, call);
    assertEquals(code, refusal.code(), refusal.getMessage());
    assertEquals(Optional.ofNullable(feature), refusal.feature());
    assertEquals(candidate, refusal.candidate());
  }

  @Test
  void packsNothingOfTheRequestBefore() {
    try (Slate slate = full(3)) {
      slate.set(seen, List.of("a", "b", "c"));
      slate.column(stock, new long[] {1, 2, 3});
      slate.set(1, tags, new String[] {"x", "y", "z"});
      graph.bytes(slate);
      slate.reset(3);
      fill(slate);
      List<byte[]> again = graph.bytes(slate);
      try (Slate fresh = new FakeGraph(SCHEMA, 100).scoring.lease(3)) {
        fill(fresh);
        List<byte[]> expected = graph.bytes(fresh);
        for (int i = 0; i < expected.size(); i++) {
          assertArrayEquals(expected.get(i), again.get(i), "block " + i);
        }
      }
    }
  }

  @Test
  void takesKeysInPlaceOfStrings() {
    List<byte[]> strings;
    try (Slate slate = graph.scoring.lease(2)) {
      slate.set(user, 1);
      slate.set(seen, List.of("a", "b", "c", "d"));
      slate.column(item, new String[] {"caf\u00e9", "242"});
      slate.column(price, new float[] {1, 2});
      slate.set(0, tags, List.of("x", "y"));
      strings = graph.bytes(slate);
    }
    try (Slate slate = graph.scoring.lease(2)) {
      slate.set(user, 1);
      slate.setKeys(seen, new long[] {Keys.of("a"), Keys.of("b"), Keys.of("c"), Keys.of("d")});
      slate.keys(item, new long[] {Keys.of("caf\u00e9"), Keys.of("242")});
      slate.column(price, new float[] {1, 2});
      slate.setKeys(0, tags, new long[] {Keys.of("x"), Keys.of("y")});
      List<byte[]> keys = graph.bytes(slate);
      assertArrayEquals(strings.get(0), keys.get(0));
      assertArrayEquals(strings.get(1), keys.get(1));
      slate.reset(1);
      slate.set(user, 1);
      slate.setKey(0, item, Keys.of("caf\u00e9"));
      slate.set(0, price, 1);
      assertEquals(1, slate.candidates());
      graph.bytes(slate);
    }
  }

  @Test
  void refusesASecondValueAndIsSpentThen() {
    List<Executable> second = new ArrayList<>();
    try (Slate slate = full(2)) {
      second.add(() -> slate.set(user, 1));
      second.add(() -> slate.set(0, price, 1));
      second.add(() -> slate.set(0, item, (String) null));
      second.add(() -> slate.column(item, new String[] {null, null}));
      second.add(() -> slate.keys(item, new long[2]));
      for (Executable each : second) {
        assertThrows(IllegalArgumentException.class, each);
        assertThrows(
            IllegalStateException.class,
            () -> slate.set(stock == null ? null : seen, new String[0]));
        assertThrows(IllegalStateException.class, () -> graph.scoring.scores(slate, null));
        slate.reset(2);
        fill(slate);
      }
      assertEquals(2, graph.scoring.scores(slate, null).candidates());
    }
  }

  @Test
  void takesAValueAfterANull() {
    try (Slate slate = graph.scoring.lease(1)) {
      slate.set(user, 1);
      slate.column(item, new String[] {null});
      slate.set(0, item, "late");
      slate.set(0, price, 1);
      slate.set(0, tags, (List<String>) null);
      slate.set(0, tags, List.of());
      assertEquals(1, graph.scoring.scores(slate, null).candidates());
    }
  }

  @Test
  void refusesWhatBelongsElsewhere() {
    Schema other =
        Schema.of(
            SCHEMA.features().stream()
                .filter(feature -> !feature.name().equals("price"))
                .map(
                    feature ->
                        feature.name().equals("stock")
                            ? new Feature(
                                "stock",
                                Placement.CANDIDATE,
                                DType.FLOAT32,
                                Optional.empty(),
                                Optional.empty(),
                                false,
                                Policy.ERROR,
                                Policy.ERROR)
                            : feature)
                .toList());
    FakeGraph smaller = new FakeGraph(other, 100);
    try (Slate slate = smaller.scoring.lease(2)) {
      List<Executable> wrong =
          List.of(
              () -> slate.set(0, price, 1),
              () -> slate.set(0, stock, 1),
              () -> slate.set(0, user, 1),
              () -> slate.set(SCHEMA.integer("stock"), 1),
              () -> slate.column(item, new String[1]),
              () -> slate.column(item, new String[3]));
      for (Executable each : wrong) {
        assertThrows(IllegalArgumentException.class, each);
        slate.reset(2);
      }
      assertThrows(IndexOutOfBoundsException.class, () -> slate.set(2, item, "x"));
      slate.reset(2);
      assertThrows(IndexOutOfBoundsException.class, () -> slate.set(-1, item, "x"));
    }
    try (Slate slate = full(1)) {
      assertThrows(
          IllegalArgumentException.class, () -> smaller.scoring.scores(slate, null), "lease");
      assertEquals(1, graph.scoring.scores(slate, null).candidates());
    }
  }

  @Test
  void takesHandlesOfEverySchemaThatHasTheFeature() {
    // Equal, and not equal: there the features stand at other places.
    Schema twin = Schema.of(SCHEMA.features());
    List<Feature> turned = new ArrayList<>(SCHEMA.features());
    java.util.Collections.reverse(turned);
    Schema reverse = Schema.of(turned);
    List<byte[]> expected;
    try (Slate slate = full(2)) {
      expected = graph.bytes(slate);
    }
    for (Schema schema : List.of(twin, reverse)) {
      try (Slate slate = graph.scoring.lease(2)) {
        for (int i = 0; i < 2; i++) {
          slate.set(i, schema.string("item"), "item " + i);
          slate.set(i, schema.number("price"), i / 2.0);
        }
        slate.set(schema.integer("user"), 196);
        List<byte[]> actual = graph.bytes(slate);
        for (int i = 0; i < expected.size(); i++) {
          assertArrayEquals(expected.get(i), actual.get(i));
        }
      }
    }
  }

  @Test
  void namesTheMethodThatFitsAFeature() {
    assertEquals(
        "feature 'price' is a single float32; take number(...)",
        assertThrows(IllegalArgumentException.class, () -> SCHEMA.integer("price")).getMessage());
    assertEquals(
        "feature 'seen' is a list of string; take strings(...)",
        assertThrows(IllegalArgumentException.class, () -> SCHEMA.string("seen")).getMessage());
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> SCHEMA.string("prize"))
            .getMessage()
            .startsWith("the schema has no feature 'prize'; it has [user, seen,"));
    assertEquals("OfStrings(seen)", seen.toString());
    assertEquals("seen", seen.feature().name());
  }

  @Test
  void refusesToBeUsedWhenClosedAndClosesTwice() {
    Slate slate = full(2);
    slate.close();
    slate.close();
    List<Executable> calls =
        List.of(
            slate::candidates,
            () -> slate.reset(1),
            () -> slate.set(user, 1),
            () -> slate.set(seen, new String[0]),
            () -> slate.set(seen, List.of()),
            () -> slate.setKeys(seen, new long[0]),
            () -> slate.set(0, item, "x"),
            () -> slate.setKey(0, item, 1),
            () -> slate.set(0, price, 1.0),
            () -> slate.set(0, price, 1L),
            () -> slate.set(0, tags, new String[0]),
            () -> slate.setKeys(0, tags, new long[0]),
            () -> slate.column(item, new String[2]),
            () -> slate.column(item, List.of("a", "b")),
            () -> slate.column(price, new double[2]),
            () -> slate.column(price, new float[2]),
            () -> slate.column(price, new long[2]),
            () -> slate.column(stock, new long[2]),
            () -> slate.keys(item, new long[2]),
            () -> graph.scoring.scores(slate, null),
            () -> graph.scoring.rank(slate, 1, null));
    for (Executable each : calls) {
      assertThrows(IllegalStateException.class, each);
    }
    assertEquals(0, graph.runs);
  }

  @Test
  void neverWritesIntoTheMemoryOfTheNextLease() {
    Slate stale = full(2);
    stale.close();
    try (Slate next = full(2)) {
      assertNotSame(stale, next);
      assertEquals(1, graph.workspaces.size(), "the memory is the same");
      List<byte[]> before = graph.bytes(next);
      assertThrows(IllegalStateException.class, () -> stale.set(0, stock, 77));
      assertThrows(IllegalStateException.class, () -> stale.reset(2));
      stale.close();
      List<byte[]> after = graph.bytes(next);
      for (int i = 0; i < before.size(); i++) {
        assertArrayEquals(before.get(i), after.get(i));
      }
      // A second close must not have given the memory to a third.
      try (Slate third = graph.scoring.lease(2)) {
        assertEquals(2, graph.workspaces.size());
        assertEquals(2, third.candidates());
      }
    }
  }

  @Test
  void mayBeClosedAfterItsModelButNotScored() {
    Slate slate = full(2);
    Slate empty = graph.scoring.lease(0);
    empty.set(user, 1);
    graph.session.close();
    assertThrows(IllegalStateException.class, () -> graph.scoring.scores(slate, null));
    assertThrows(IllegalStateException.class, () -> graph.scoring.rank(empty, 1, null));
    assertThrows(IllegalStateException.class, () -> graph.scoring.lease(1));
    slate.close();
    empty.close();
    assertEquals(0, graph.runs);
    assertTrue(graph.workspaces.stream().allMatch(workspace -> workspace.closed));
  }

  @Test
  void scoresNoCandidatesWithoutRunningButChecksTheContext() {
    try (Slate slate = graph.scoring.lease(0)) {
      assertCode(
          ErrorCode.MISSING_FEATURE,
          "user",
          OptionalInt.empty(),
          () -> graph.scoring.scores(slate, null));
      slate.reset(0);
      slate.set(user, 1);
      slate.column(item, new String[0]);
      assertEquals(0, graph.scoring.scores(slate, null).candidates());
      assertEquals(0, graph.scoring.rank(slate, 5, null).size());
      assertEquals(0, graph.runs);
    }
  }

  @Test
  void refusesMoreCandidatesThanTheModelTakes() {
    assertCode(
        ErrorCode.TOO_MANY_CANDIDATES,
        null,
        OptionalInt.of(100),
        () -> graph.scoring.lease(101).close());
    assertThrows(IllegalArgumentException.class, () -> graph.scoring.lease(-1).close());
    assertEquals(1, graph.workspaces.size(), "a refused lease is given back");
    try (Slate slate = full(100)) {
      assertThrows(ScoringException.class, () -> slate.reset(101));
      assertThrows(IllegalStateException.class, () -> graph.scoring.scores(slate, null));
      slate.reset(100);
      fill(slate);
      assertEquals(100, graph.scoring.scores(slate, null).candidates());
    }
  }

  @Test
  void ranksTheBestAndReadsPlacesWithoutEntries() {
    try (Slate slate = full(20)) {
      Ranking ranking = graph.scoring.rank(slate, 3, null);
      // The fake score is the index modulo 7; ties stand in input order.
      assertEquals(3, ranking.size());
      assertEquals(
          List.of(6, 13, 5), List.of(ranking.index(0), ranking.index(1), ranking.index(2)));
      assertEquals(5.0, ranking.score(2));
      assertThrows(IndexOutOfBoundsException.class, () -> ranking.index(3));
      assertEquals(new Ranking.Entry(13, 6.0), ranking.entries().get(1));
      assertSame(ranking.entries(), ranking.entries());
      assertEquals(20, graph.scoring.rank(slate, Integer.MAX_VALUE, null).size());
      assertEquals(0, graph.scoring.rank(slate, 0, null).size());
      assertCode(
          ErrorCode.INVALID_REQUEST,
          null,
          OptionalInt.empty(),
          () -> graph.scoring.rank(slate, -1, null));
      assertEquals(20, graph.scoring.scores(slate, null).candidates(), "and the slate goes on");
    }
  }

  @Test
  void isHeardOfOncePerCall() {
    List<ScoringListener.Event> heard = new ArrayList<>();
    FakeGraph listened = new FakeGraph(SCHEMA, 100, heard::add);
    try (Slate slate = listened.scoring.lease(2)) {
      fill(slate);
      slate.column(stock, new long[] {1, 2});
      listened.scoring.scores(slate, null);
      listened.scoring.rank(slate, 1, null);
      slate.reset(1);
      assertThrows(ScoringException.class, () -> slate.set(0, price, Double.NaN));
      slate.reset(1);
      assertThrows(ScoringException.class, () -> listened.scoring.scores(slate, null));
    }
    assertEquals(
        List.of("ok", "ok", "non_finite", "missing_feature"),
        heard.stream().map(ScoringListener.Event::outcome).toList());
    assertEquals(List.of(2, 2, 1, 1), heard.stream().map(e -> e.candidates()).toList());
    assertFalse(heard.get(0).packNanos() < 0);
    Statistics statistics = listened.observation.snapshot();
    assertEquals(4, statistics.requests());
  }

  /** Calls back when its second element is read: a moment in the middle of a write. */
  private static List<String> interrupted(Runnable then) {
    return new AbstractList<>() {
      @Override
      public String get(int index) {
        if (index == 1) {
          then.run();
        }
        return "rogue " + index;
      }

      @Override
      public int size() {
        return 3;
      }
    };
  }

  private static void assertBlocks(List<byte[]> expected, List<byte[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), "block " + i);
    }
  }

  @Test
  void writesNothingIntoTheNextCallersSlateWhenItIsClosedUnderAWrite() {
    List<byte[]> expected;
    try (Slate slate = new FakeGraph(SCHEMA, 100).scoring.lease(3)) {
      fill(slate);
      expected = graph.bytes(slate);
    }
    List<Slate> next = new ArrayList<>();
    Slate slate = graph.scoring.lease(3);
    List<String> column =
        interrupted(
            () -> {
              slate.close();
              next.add(full(3));
            });
    slate.column(item, column);
    assertBlocks(expected, graph.bytes(next.get(0)));
    assertThrows(IllegalStateException.class, () -> slate.set(user, 1), "it is closed");
    next.get(0).close();
  }

  @Test
  void writesNothingIntoTheNextCallersSlateWhenItIsResetUnderAWriteAndThenClosed() {
    List<byte[]> expected;
    try (Slate slate = new FakeGraph(SCHEMA, 100).scoring.lease(3)) {
      fill(slate);
      expected = graph.bytes(slate);
    }
    List<Slate> next = new ArrayList<>();
    Slate slate = graph.scoring.lease(3);
    List<String> column =
        interrupted(
            () -> {
              slate.reset(3);
              fill(slate);
              slate.close();
              next.add(full(3));
            });
    slate.column(item, column);
    assertBlocks(expected, graph.bytes(next.get(0)));
    next.get(0).close();
  }

  /** Two threads that close one slate, as a deadline and a finally do, are one close. */
  @Test
  void givesEachOfTwoCallersItsOwnMemoryWhenASlateWasClosedTwiceAtOnce() throws Exception {
    ExecutorService other = Executors.newSingleThreadExecutor();
    CyclicBarrier together = new CyclicBarrier(2);
    for (int round = 0; round < ROUNDS; round++) {
      Slate slate = graph.scoring.lease(1);
      Future<?> closing =
          other.submit(
              () -> {
                together.await();
                slate.close();
                return null;
              });
      together.await();
      slate.close();
      closing.get();
      try (Slate one = full(2);
          Slate another = full(3)) {
        assertEquals(2, one.candidates());
        assertEquals(3, another.candidates());
        graph.bytes(one);
        graph.bytes(another);
      }
    }
    other.shutdown();
  }

  @Test
  void keepsTheMemoryOfARequestThatWasRefused() {
    try (Slate slate = graph.scoring.lease(3)) {
      assertThrows(ScoringException.class, () -> slate.set(0, price, Double.NaN));
      slate.reset(3);
      assertThrows(ScoringException.class, () -> graph.scoring.scores(slate, null));
    }
    full(3).close();
    assertEquals(1, graph.workspaces.size());
    assertFalse(graph.workspaces.get(0).closed);
  }
}
