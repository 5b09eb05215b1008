package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.Engines;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.onnx.Output;
import dev.twinrank.core.internal.pack.Block;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class CancellationTest {
  private static final Schema SCHEMA =
      Vectors.schemaOf(
          "{\"name\": \"x\", \"placement\": \"candidate\", \"dtype\": \"float32\","
              + " \"missing\": {\"policy\": \"error\"}, \"invalid\": {\"policy\": \"error\"}}");
  private static final Handle.OfDouble X = SCHEMA.number("x");

  // A product of 1000 × 1000 is 2 GFLOP: the graph would run for seconds at least.
  private static final int PRODUCTS = 200;
  private static final int MANY = 1000;
  private static final int FEW = 8;

  private static void assertCode(ErrorCode code, Executable call) {
    assertEquals(code, assertThrows(ScoringException.class, call).code());
  }

  private static void fill(Slate slate) {
    for (int i = 0; i < slate.candidates(); i++) {
      slate.set(i, X, 1 / Math.sqrt(slate.candidates() + i));
    }
  }

  private static Slate lease(Scoring scoring, int candidates) {
    Slate slate = scoring.lease(candidates);
    fill(slate);
    return slate;
  }

  @Test
  void aLimitBringsTheDeadlineForwardAndNeverPutsItOff() {
    Cancellation open = Cancellation.create();
    open.limit(Duration.ofDays(1));
    assertFalse(open.isDone());
    open.limit(Duration.ZERO);
    assertCode(ErrorCode.DEADLINE_EXCEEDED, open::check);
    open.limit(Duration.ofDays(1));
    assertCode(ErrorCode.DEADLINE_EXCEEDED, open::check);

    Cancellation timed = Cancellation.after(Duration.ofDays(1));
    timed.limit(Duration.ofSeconds(-1));
    assertTrue(timed.isDone());
    assertFalse(timed.isCancelled());

    FakeGraph graph = new FakeGraph(SCHEMA, MANY);
    Cancellation late = Cancellation.create();
    late.limit(Duration.ZERO);
    try (Slate slate = lease(graph.scoring, FEW)) {
      assertCode(ErrorCode.DEADLINE_EXCEEDED, () -> graph.scoring.scores(slate, late));
    }
  }

  @Test
  void runsNothingOnceCancelledOrLate() {
    FakeGraph graph = new FakeGraph(SCHEMA, MANY);
    Cancellation cancelled = Cancellation.create();
    cancelled.check();
    assertFalse(cancelled.isDone());
    cancelled.cancel();
    cancelled.cancel();
    assertTrue(cancelled.isCancelled());
    assertTrue(cancelled.isDone());
    Cancellation late = Cancellation.after(Duration.ZERO);
    assertFalse(late.isCancelled());
    assertTrue(late.isDone());
    assertTrue(Cancellation.after(Duration.ofSeconds(-1)).isDone());
    assertTrue(Cancellation.after(Duration.ofSeconds(Long.MIN_VALUE)).isDone());
    assertFalse(Cancellation.after(Duration.ofSeconds(Long.MAX_VALUE)).isDone());
    RankRequest request =
        new RankRequest.Builder(graph.plan, MANY, graph.observation)
            .candidate()
            .set("x", 1)
            .build();
    try (Slate slate = lease(graph.scoring, 2);
        Slate empty = graph.scoring.lease(0)) {
      assertCode(ErrorCode.CANCELLED, () -> graph.scoring.scores(slate, cancelled));
      slate.reset(2);
      fill(slate);
      assertCode(ErrorCode.DEADLINE_EXCEEDED, () -> graph.scoring.rank(slate, 1, late));
      assertCode(ErrorCode.DEADLINE_EXCEEDED, () -> graph.scoring.scores(empty, late));
      assertCode(ErrorCode.CANCELLED, () -> graph.scoring.score(request, cancelled));
      assertCode(ErrorCode.DEADLINE_EXCEEDED, () -> graph.scoring.rank(request, late));
      late.cancel();
      assertCode(ErrorCode.CANCELLED, late::check);
      assertEquals(0, graph.runs);
      slate.reset(2);
      fill(slate);
      assertEquals(
          2, graph.scoring.scores(slate, Cancellation.after(Duration.ofDays(9))).candidates());
      assertEquals(1, graph.scoring.score(request, Cancellation.create()).candidates());
      assertEquals(2, graph.runs);
    }
  }

  @Test
  void startsNoRunWhenItIsCancelledWhilePacking() {
    Cancellation cancellation = Cancellation.create();
    Cancellation.Run run = cancellation.run();
    cancellation.cancel();
    AtomicInteger terminated = new AtomicInteger();
    assertFalse(run.attach(terminated::incrementAndGet));
    assertEquals(ErrorCode.CANCELLED, run.reason());
    assertEquals(0, terminated.get());
  }

  @Test
  void terminatesOnceAndNeverAfterDetaching() {
    Cancellation cancellation = Cancellation.create();
    AtomicInteger terminated = new AtomicInteger();
    Cancellation.Run done = cancellation.run();
    assertTrue(done.attach(terminated::incrementAndGet));
    done.detach();
    Cancellation.Run running = cancellation.run();
    assertTrue(running.attach(terminated::incrementAndGet));
    cancellation.cancel();
    cancellation.cancel();
    running.detach();
    cancellation.cancel();
    assertEquals(1, terminated.get());
    assertEquals(null, done.reason());
    assertEquals(ErrorCode.CANCELLED, running.reason());
  }

  @Test
  void detachingWaitsForATerminationThatHasBegun() throws Exception {
    Cancellation cancellation = Cancellation.create();
    CountDownLatch attached = new CountDownLatch(1);
    CountDownLatch terminating = new CountDownLatch(1);
    AtomicBoolean terminated = new AtomicBoolean();
    FutureTask<Boolean> runner =
        new FutureTask<>(
            () -> {
              Cancellation.Run run = cancellation.run();
              run.attach(
                  () -> {
                    terminating.countDown();
                    Thread me = Thread.currentThread();
                    Thread other = thread(me.getName().replace("canceller", "runner"));
                    // Until the runner waits for us, or has gone past us.
                    while (other.isAlive() && other.getState() != Thread.State.BLOCKED) {
                      Thread.onSpinWait();
                    }
                    terminated.set(true);
                  });
              attached.countDown();
              terminating.await();
              run.detach();
              return terminated.get();
            });
    Thread running = new Thread(runner, "runner of a detach");
    running.setDaemon(true);
    running.start();
    attached.await();
    Thread canceller = new Thread(cancellation::cancel, "canceller of a detach");
    canceller.start();
    assertTrue(runner.get(), "what the action uses was freed while it ran");
    canceller.join();
  }

  private static Thread thread(String name) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(each -> each.getName().equals(name))
        .findFirst()
        .orElseThrow();
  }

  /** The real runtime, with a latch for the moment at which a run can be stopped. */
  private static final class Watched implements NativeGraph {
    final NativeGraph real;
    volatile CountDownLatch entered = new CountDownLatch(1);
    final AtomicInteger started = new AtomicInteger();

    Watched(NativeGraph real) {
      this.real = real;
    }

    @Override
    public Workspace workspace() {
      Workspace workspace = real.workspace();
      return (Workspace)
          java.lang.reflect.Proxy.newProxyInstance(
              getClass().getClassLoader(),
              new Class<?>[] {Workspace.class},
              (proxy, method, arguments) -> {
                try {
                  if (!method.getName().equals("run") || arguments[0] == null) {
                    return method.invoke(workspace, arguments);
                  }
                  workspace.run(watched((Workspace.Stop) arguments[0]));
                  return null;
                } catch (java.lang.reflect.InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }

    private Workspace.Stop watched(Workspace.Stop stop) {
      return new Workspace.Stop() {
        @Override
        public boolean attach(Runnable terminate) {
          boolean may = stop.attach(terminate);
          if (may) {
            started.incrementAndGet();
            entered.countDown();
          }
          return may;
        }

        @Override
        public void detach() {
          stop.detach();
        }
      };
    }

    @Override
    public void close() {
      real.close();
    }
  }

  @Test
  void endsARunThatHasBegunAndTheModelGoesOnWithTheSameBits() throws Exception {
    FakeGraph shape = new FakeGraph(SCHEMA, MANY);
    Watched graph = new Watched(load(shape));
    try (GraphSession session = GraphSession.of(graph, 1)) {
      Scoring scoring = shape.scoring(session);
      byte[] bits;
      try (Slate slate = lease(scoring, FEW)) {
        bits = bytes(scoring.scores(slate, null));
        assertArrayEquals(bits, bytes(scoring.scores(slate, Cancellation.create())));
        assertArrayEquals(
            bits, bytes(scoring.scores(slate, Cancellation.after(Duration.ofHours(1)))));
      }
      int before = graph.started.get();

      Cancellation cancellation = Cancellation.create();
      graph.entered = new CountDownLatch(1);
      Thread canceller =
          new Thread(
              () -> {
                try {
                  graph.entered.await();
                  cancellation.cancel();
                } catch (InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      canceller.start();
      try (Slate slate = lease(scoring, MANY)) {
        assertCode(ErrorCode.CANCELLED, () -> scoring.scores(slate, cancellation));
        canceller.join();
        assertEquals(before + 1, graph.started.get(), "the run had begun");

        slate.reset(MANY);
        fill(slate);
        // Long enough to begin in, short of what the graph would take.
        assertCode(
            ErrorCode.DEADLINE_EXCEEDED,
            () -> scoring.rank(slate, 1, Cancellation.after(Duration.ofMillis(300))));

        slate.reset(FEW);
        fill(slate);
        assertArrayEquals(bits, bytes(scoring.scores(slate, null)));
        assertArrayEquals(bits, bytes(scoring.scores(slate, Cancellation.create())));
      }
    }
  }

  private static NativeGraph load(FakeGraph shape) throws GraphFailure {
    return Engines.get()
        .load(
            SlowGraph.model(PRODUCTS),
            Path.of(""),
            SessionSettings.standard(),
            shape.plan.packing().blocks().stream().map(Block::spec).toList(),
            List.of(Output.values("score", DType.FLOAT32).spec()));
  }

  private static byte[] bytes(Scores scores) {
    byte[] bytes = new byte[scores.scores().remaining()];
    scores.scores().get(bytes);
    return bytes;
  }

  @Test
  void aRunDoesNotStartWhenTheDeadlineHasPassedSinceTheCallBegan() {
    Cancellation.Run run = Cancellation.after(Duration.ZERO).run();
    assertFalse(run.attach(() -> {}));
    assertEquals(ErrorCode.DEADLINE_EXCEEDED, run.reason());
  }
}
