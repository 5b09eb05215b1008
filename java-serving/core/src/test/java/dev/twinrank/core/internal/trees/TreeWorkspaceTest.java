package dev.twinrank.core.internal.trees;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.engine.Workspace.Stop;
import dev.twinrank.core.internal.pack.Block;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What a workspace of trees promises beside its bits. */
class TreeWorkspaceTest {
  private static final int MANY = 3000;
  private static final List<Block> BLOCKS = List.of(TreeGraphTest.F64);
  private static final List<TensorSpec> OUTPUTS =
      List.of(TreeGraphTest.column("score", DType.FLOAT64));

  /** Counts how often it is asked, and can be asked to end the run each time. */
  private static final class Counting implements TreeKernel {
    private final TreeKernel inside;
    private int calls;
    private Runnable during = () -> {};

    Counting(Forest forest) {
      this.inside = new FlatKernel(forest);
    }

    @Override
    public String name() {
      return "counting";
    }

    @Override
    public Scratch scratch() {
      return inside.scratch();
    }

    @Override
    public void score(double[][] columns, int rows, double[][] scores, Scratch scratch) {
      calls++;
      during.run();
      inside.score(columns, rows, scores, scratch);
    }
  }

  /** What ends a run, seen from both sides. */
  private static final class Ending implements Stop {
    private final boolean may;
    private Runnable terminate;
    private boolean detached;

    Ending(boolean may) {
      this.may = may;
    }

    @Override
    public boolean attach(Runnable action) {
      terminate = action;
      return may;
    }

    @Override
    public void detach() {
      detached = true;
    }
  }

  private Counting kernel;

  private TreeGraph graph() throws UnknownGraph {
    ModelWriter writer = new ModelWriter();
    RandomTrees trees = new RandomTrees(new Random(3), Type.F64, 4, List.of(), 1, false);
    writer.named("ai.onnx.ml", "TreeEnsemble", trees.attributes(), "raw", "candidate.f64");
    writer.named("", "Squeeze", Map.of(), "score", "raw", writer.integers(1));
    return TreeGraph.read(
        writer.model(List.of(TreeGraphTest.F64.spec()), OUTPUTS),
        BLOCKS,
        OUTPUTS,
        forest -> {
          kernel = new Counting(forest);
          return new TreeKernels.Choice(kernel, kernel, 2);
        });
  }

  @Test
  void aRunThatIsStoppedEndsBeforeTheNextRows() throws GraphFailure, UnknownGraph {
    try (TreeGraph graph = graph();
        Workspace workspace = graph.workspace()) {
      workspace.resize(MANY);
      workspace.run(new Ending(true));
      int whole = kernel.calls;
      assertTrue(whole > 3, whole + " calls");
      Ending stop = new Ending(true);
      kernel.during = () -> stop.terminate.run();
      GraphFailure failure = assertThrows(GraphFailure.class, () -> workspace.run(stop));
      assertEquals(whole + 1, kernel.calls);
      assertTrue(failure.getMessage().startsWith("the run was stopped after "), failure::toString);
      assertTrue(stop.detached);
      kernel.during = () -> {};
      workspace.run(null);
      assertEquals(2 * whole + 1, kernel.calls);
    }
  }

  @Test
  void aRunThatMustNotBeginDoesNot() throws GraphFailure, UnknownGraph {
    try (TreeGraph graph = graph();
        Workspace workspace = graph.workspace()) {
      workspace.resize(1);
      assertThrows(GraphFailure.class, () -> workspace.run(new Ending(false)));
      assertEquals(0, kernel.calls);
    }
  }

  @Test
  void memoryIsWhatWasAskedForAndStaysWhereItIs() throws GraphFailure, UnknownGraph {
    try (TreeGraph graph = graph()) {
      Workspace workspace = graph.workspace();
      assertEquals(0, workspace.bytes());
      workspace.resize(100);
      long expected = TreeGraphTest.F64.spec().capacity(100) + OUTPUTS.get(0).capacity(100);
      assertEquals(expected, workspace.bytes());
      ByteBuffer input = workspace.input(0);
      workspace.resize(120);
      assertSame(input, workspace.input(0));
      assertEquals(120 * 4 * Double.BYTES, input.limit());
      assertEquals(expected, workspace.bytes());
      workspace.close();
      assertThrows(IllegalStateException.class, () -> workspace.resize(1));
    }
  }

  @Test
  void aTensorThatNoBufferHoldsIsRefused() throws UnknownGraph {
    try (TreeGraph graph = graph();
        Workspace workspace = graph.workspace()) {
      GraphFailure failure =
          assertThrows(GraphFailure.class, () -> workspace.resize(Integer.MAX_VALUE / 8));
      assertTrue(failure.getMessage().contains("send less at once"), failure::toString);
      assertEquals(0, workspace.candidates());
    }
  }
}
