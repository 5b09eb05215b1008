package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ModelOptions.TreeEngine;
import dev.twinrank.core.ModelOptions.WarmUp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TreeEngineTest {
  private static final String BASE = "vectors/forests/trees/1";
  private static final String PROPERTY = "twinrank.trees";

  @TempDir private Path folder;

  private static ModelOptions by(TreeEngine engine) {
    return ModelOptions.builder()
        .require(Require.REFERENCE)
        .warmUp(WarmUp.NONE)
        .trees(engine)
        .build();
  }

  private static Model open(TreeEngine engine) {
    return Model.open(Contract.path(BASE), by(engine));
  }

  /** Values on and beside thresholds, NaN and infinities, known and unknown brands. */
  private static byte[] request(Random random, int candidates) {
    List<String> all = new ArrayList<>();
    for (int i = 0; i < candidates; i++) {
      String price =
          switch (random.nextInt(5)) {
            case 0 -> "";
            case 1 -> "\"price\": \"NaN\", ";
            case 2 -> "\"price\": \"-Infinity\", ";
            default -> "\"price\": " + (random.nextInt(80) - 20) / 10.0 + ", ";
          };
      all.add(
          "{"
              + price
              + "\"margin\": "
              + Math.nextUp((random.nextInt(80) - 20) / 10.0)
              + ", \"weight\": "
              + (random.nextInt(80) - 20) / 10f
              + ", \"stock\": "
              + (random.nextInt(9) - 2)
              + ", \"brand\": \""
              + List.of("apple", "bread", "cr\u00e8me", "", "zebra").get(random.nextInt(5))
              + "\"}");
    }
    return ("{\"context\": {\"budget\": "
            + random.nextInt(50) / 10.0
            + "}, \"candidates\": ["
            + String.join(", ", all)
            + "]}")
        .getBytes(StandardCharsets.UTF_8);
  }

  private static void requireSame(Scores expected, Scores actual) {
    assertEquals(expected.scores(), actual.scores());
    assertEquals(expected.values(0), actual.values(0));
  }

  @Test
  void bothEnginesGiveTheSameBits() {
    Random random = new Random(7);
    try (Model java = open(TreeEngine.JAVA);
        Model runtime = open(TreeEngine.ONNX_RUNTIME)) {
      for (int candidates : new int[] {1, 1, 2, 17, 600, 1300, 3}) {
        byte[] request = request(random, candidates);
        requireSame(runtime.score(runtime.parse(request)), java.score(java.parse(request)));
      }
    }
  }

  @Test
  void aModelTellsWhatScoresItAndWhy() {
    try (Model model = open(TreeEngine.JAVA)) {
      assertEquals("java", model.engine().name());
      assertEquals(1, model.engine().kernels().size());
      assertEquals("ModelOptions.trees demands it", model.engine().reason());
      assertTrue(
          model.opening().toString().contains("scored by java ("), model.opening()::toString);
      assertEquals(model.engine(), model.verify().engine().orElseThrow());
    }
    try (Model model = open(TreeEngine.ONNX_RUNTIME)) {
      assertEquals(
          new ModelEngine("onnxruntime", List.of(), "ModelOptions.trees demands it"),
          model.engine());
    }
    try (Model model = Tiny.open()) {
      assertEquals(
          new ModelEngine("onnxruntime", List.of(), "the model has no trees"), model.engine());
    }
  }

  @Test
  void whereNothingIsDemandedTheGoldensAreMeasured() {
    try (Model model = open(TreeEngine.AUTO)) {
      assertTrue(
          model.engine().reason().matches("the goldens took [0-9.]+ against [0-9.]+ for 1 and .*"),
          model.engine()::toString);
      assertTrue(model.verify().passed());
    }
  }

  @Test
  void thePropertySpeaksWhereTheOptionsDoNot() {
    try {
      System.setProperty(PROPERTY, "java");
      try (Model model = open(TreeEngine.AUTO)) {
        assertEquals(
            "java: the system property twinrank.trees names java",
            model.engine().name() + ": " + model.engine().reason());
      }
      try (Model model = open(TreeEngine.ONNX_RUNTIME)) {
        assertEquals("onnxruntime", model.engine().name());
      }
      try (Model model = Tiny.open()) {
        assertEquals("the model has no trees", model.engine().reason());
      }
      System.setProperty(PROPERTY, "onnxruntime");
      try (Model model = open(TreeEngine.AUTO)) {
        assertEquals("onnxruntime", model.engine().name());
      }
      System.setProperty(PROPERTY, "quick");
      IllegalStateException refusal =
          assertThrows(IllegalStateException.class, () -> open(TreeEngine.AUTO).close());
      assertEquals(
          "the system property twinrank.trees is 'quick'; it can be auto, java or onnxruntime",
          refusal.getMessage());
    } finally {
      System.clearProperty(PROPERTY);
    }
  }

  /** Changes one bit of the model, some bytes behind a name in it, and seals the bundle again. */
  private Path flipped(String name, int behind, int bit) throws IOException {
    Mutator mutator = Mutator.copy(BASE, folder);
    String model =
        new String(
            Files.readAllBytes(mutator.bundle().resolve("model.onnx")),
            StandardCharsets.ISO_8859_1);
    int at = model.lastIndexOf(name) + name.length() + behind;
    mutator.apply(Map.of("op", "flip_bit", "path", "model.onnx", "byte", at, "bit", bit));
    return mutator.reseal(List.of("files", "manifest")).bundle();
  }

  private static Problem refusal(Path bundle, TreeEngine engine) {
    BundleException refusal =
        assertThrows(BundleException.class, () -> Model.open(bundle, by(engine)).close());
    return refusal.problems().get(0);
  }

  @Test
  void aGraphThatIsNotKnownIsRefusedWhereJavaIsDemanded() throws IOException {
    // aggregate_function 0: the average, which ONNX Runtime scores, and so other than the goldens.
    Path bundle = flipped("aggregate_function", 1, 0);
    Problem unknown = refusal(bundle, TreeEngine.JAVA);
    assertEquals(ErrorCode.SESSION_FAILED, unknown.code());
    assertEquals(
        "is not scored by this library's trees, and ModelOptions.trees demands it: node"
            + " '16.TreeEnsemble' (TreeEnsemble) does not sum its leaves. Leave the choice to auto,"
            + " and ONNX Runtime scores it",
        unknown.detail());
    assertEquals(ErrorCode.GOLDEN_MISMATCH, refusal(bundle, TreeEngine.AUTO).code());
  }

  @Test
  void theGoldensAreReplayedOverTheEngineThatServes() throws IOException {
    // The sign of the first leaf: behind the tensor's name its tag, its length, and seven bytes.
    Path bundle = flipped("weights", 1 + 2 + 7, 7);
    for (TreeEngine each : TreeEngine.values()) {
      assertEquals(ErrorCode.GOLDEN_MISMATCH, refusal(bundle, each).code());
    }
  }

  @Test
  void threadsScoreAtOnce() throws InterruptedException, ExecutionException {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try (Model java = open(TreeEngine.JAVA);
        Model runtime = open(TreeEngine.ONNX_RUNTIME)) {
      List<Future<?>> running = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        Random random = new Random(thread);
        running.add(
            threads.submit(
                () -> {
                  for (int i = 0; i < 60; i++) {
                    byte[] request = request(random, 1 + random.nextInt(i == 0 ? 900 : 30));
                    requireSame(
                        runtime.score(runtime.parse(request)), java.score(java.parse(request)));
                  }
                }));
      }
      for (Future<?> each : running) {
        each.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aSlateThatIsKeptAllocatesItsResultAndNothingElse() throws ReflectiveOperationException {
    try (Model model = open(TreeEngine.JAVA);
        Slate slate = model.slate(40)) {
      Handle.OfDouble price = model.schema().number("price");
      Handle.OfDouble margin = model.schema().number("margin");
      Handle.OfDouble weight = model.schema().number("weight");
      Handle.OfLong stock = model.schema().integer("stock");
      Handle.OfString brand = model.schema().string("brand");
      Handle.OfDouble budget = model.schema().number("budget");
      Scores.Layout layout = new Scores.Layout(model.heads(), model.score());
      long calls = Long.MAX_VALUE;
      long results = Long.MAX_VALUE;
      for (int round = 0; round < 8; round++) {
        Runnable call =
            () -> {
              slate.reset(40);
              slate.set(budget, 2.5);
              for (int i = 0; i < 40; i++) {
                slate.set(i, price, i / 10.0);
                slate.set(i, margin, Double.NaN);
                slate.set(i, weight, i / 4.0);
                slate.set(i, stock, i % 5);
                slate.set(i, brand, "bread");
              }
              sink = model.scores(slate);
            };
        calls = Math.min(calls, Allocation.of(() -> repeat(call)));
        results = Math.min(results, Allocation.of(() -> repeat(() -> copy(layout, slate))));
      }
      assertTrue(results >= 200 * 40 * (Float.BYTES + Double.BYTES), results + " bytes");
      // Of the view that is copied from, a compiler spares what it likes; less than a byte a call.
      assertTrue(calls <= results + 128, calls + " bytes against " + results);
    }
  }

  /** Keeps results alive, so that no compiler leaves them out. */
  @SuppressWarnings("unused")
  private Object sink;

  private void copy(Scores.Layout layout, Slate slate) {
    sink = layout.copy(slate.finish());
  }

  private static void repeat(Runnable action) {
    for (int i = 0; i < 200; i++) {
      action.run();
    }
  }
}
