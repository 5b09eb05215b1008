package dev.twinrank.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class FfmWorkspaceTest {
  private static final int RUNS = 1000;
  private static final int ALIGNMENT = 64;

  private static Graph tiny;
  private static FfmEngine engine;
  private static NativeGraph graph;

  @BeforeAll
  static void load() throws GraphFailure {
    tiny = Graph.tiny();
    engine = FfmEngine.start();
    graph = tiny.load(engine);
  }

  @AfterAll
  static void close() {
    graph.close();
  }

  private interface Step {
    void run() throws GraphFailure;
  }

  /** Returns the heap bytes of many steps, once the compiler has seen enough of them. */
  private static long allocated(Step step) throws GraphFailure {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long least = Long.MAX_VALUE;
    for (int round = 0; round < 20 && least > 0; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < RUNS; i++) {
        step.run();
      }
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }

  @Test
  void runAllocatesNothingOnTheHeap() throws GraphFailure {
    try (Workspace workspace = graph.workspace()) {
      Graph.fill(workspace, tiny.last(), 1);
      assertEquals(
          0,
          allocated(
              () -> {
                workspace.resize(1);
                workspace.run(null);
              }));
    }
  }

  @Test
  void otherNumbersOfCandidatesAllocateNothingOnTheHeapOnceThereIsRoom() throws GraphFailure {
    try (Workspace workspace = graph.workspace()) {
      int[] size = {0};
      workspace.resize(200);
      long bytes = workspace.bytes();
      assertEquals(0, allocated(() -> workspace.resize(1 + size[0]++ % 200)));
      assertEquals(bytes, workspace.bytes());
    }
  }

  @Test
  void memoryIsAlignedNativeAndExactlyAsLongAsItsValues() throws GraphFailure {
    try (Workspace workspace = graph.workspace()) {
      for (int candidates : new int[] {3, 200, 7}) {
        workspace.resize(candidates);
        assertEquals(candidates, workspace.candidates());
        long bytes = 0;
        for (int i = 0; i < tiny.inputs().size(); i++) {
          assertMemory(tiny.inputs().get(i), candidates, workspace.input(i));
          bytes += tiny.inputs().get(i).bytes(candidates);
        }
        for (int i = 0; i < tiny.outputs().size(); i++) {
          assertMemory(tiny.outputs().get(i), candidates, workspace.output(i));
          bytes += tiny.outputs().get(i).bytes(candidates);
        }
        assertTrue(workspace.bytes() >= bytes);
      }
    }
  }

  private static void assertMemory(TensorSpec spec, int candidates, ByteBuffer memory) {
    assertEquals(spec.bytes(candidates), memory.remaining(), spec.name());
    assertEquals(0, memory.position());
    assertEquals(ByteOrder.nativeOrder(), memory.order());
    assertEquals(0, MemorySegment.ofBuffer(memory).address() % ALIGNMENT);
  }

  @Test
  void memoryIsTheSameObjectUntilTheNumberOfCandidatesChanges() throws GraphFailure {
    try (Workspace workspace = graph.workspace()) {
      workspace.resize(3);
      List<ByteBuffer> before = views(workspace);
      workspace.resize(3);
      workspace.run(null);
      for (int i = 0; i < before.size(); i++) {
        assertSame(before.get(i), views(workspace).get(i));
      }
    }
  }

  private static List<ByteBuffer> views(Workspace workspace) {
    List<ByteBuffer> views = new ArrayList<>();
    for (int i = 0; i < tiny.inputs().size(); i++) {
      views.add(workspace.input(i));
    }
    return views;
  }

  @Test
  void staleReferencesCanBeReadAndWrittenAfterEverythingIsClosed() throws GraphFailure {
    NativeGraph own = tiny.load(engine);
    Workspace workspace = own.workspace();
    workspace.resize(1);
    ByteBuffer stale = workspace.input(0);
    workspace.resize(100_000);
    ByteBuffer last = workspace.output(0);
    assertNotSame(stale, last);
    own.close();
    workspace.close();
    for (int i = 0; i < 5; i++) {
      System.gc();
      stale.putLong(0, i);
      assertEquals(i, stale.getLong(0));
      last.putInt(0, i);
      assertEquals(i, last.getInt(0));
    }
  }

  @Test
  void whatIsClosedRefusesToRunAndClosesTwice() throws GraphFailure {
    NativeGraph own = tiny.load(engine);
    Workspace workspace = own.workspace();
    assertThrows(IllegalStateException.class, () -> workspace.run(null));
    workspace.resize(2);
    workspace.run(null);
    own.close();
    own.close();
    workspace.resize(3); // a pool may hand it out before it finds the graph closed
    assertThrows(IllegalStateException.class, () -> workspace.run(null));
    workspace.close();
    workspace.close();
    assertThrows(IllegalStateException.class, () -> workspace.resize(2));
    assertThrows(IllegalStateException.class, () -> workspace.run(null));
  }

  @Test
  void failuresAreInTheWordsOfTheRuntime() throws GraphFailure {
    byte[] garbage = "not a model".getBytes(StandardCharsets.UTF_8);
    GraphFailure refused =
        assertThrows(
            GraphFailure.class,
            () ->
                engine.load(
                    garbage, tiny.folder(), SessionSettings.standard(), List.of(), List.of()));
    assertTrue(refused.getMessage().contains("protobuf"), refused.getMessage());
    List<TensorSpec> inputs = new ArrayList<>(tiny.inputs());
    inputs.set(0, new TensorSpec(inputs.get(0).name(), DType.FLOAT32, List.of(-1L)));
    try (NativeGraph wrong =
            engine.load(
                tiny.model(), tiny.folder(), SessionSettings.standard(), inputs, tiny.outputs());
        Workspace workspace = wrong.workspace()) {
      workspace.resize(2);
      for (int i = 0; i < 3; i++) {
        GraphFailure failed = assertThrows(GraphFailure.class, () -> workspace.run(null));
        assertEquals(
            "Unexpected input data type. Actual: (tensor(float)) , expected: (tensor(int64))",
            failed.getMessage());
      }
    }
  }

  @Test
  void slatesThatNoBufferHoldsAreRefusedAndTheWorkspaceServesTheNext() throws GraphFailure {
    try (Workspace workspace = graph.workspace()) {
      workspace.resize(2);
      assertThrows(GraphFailure.class, () -> workspace.resize(Integer.MAX_VALUE));
      assertEquals(0, workspace.candidates());
      assertThrows(IllegalStateException.class, () -> workspace.run(null));
      workspace.resize(2);
      workspace.run(null);
    }
  }
}
