package dev.twinrank.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.SessionSettings.Optimization;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.jni.JniEngineProvider;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The official binding and this engine, two copies of the library in one process. */
class SameBitsTest {
  private static final int[] SIZES =
      IntStream.concat(IntStream.rangeClosed(1, 200), IntStream.of(1000, 10_000)).toArray();

  @Test
  void bothEnginesAnswerEverySlateWithTheSameBits() throws GraphFailure {
    Graph graph = Graph.tiny();
    Engine jni = new JniEngineProvider().start();
    Engine ffm = FfmEngine.start();
    assertEquals(jni.release(), ffm.release());
    for (SessionSettings settings :
        List.of(
            SessionSettings.standard(),
            new SessionSettings(Optimization.NONE, false, 1, 1, false, false, false),
            new SessionSettings(Optimization.EXTENDED, true, 2, 2, true, false, true))) {
      compare(graph, settings, jni, ffm);
    }
  }

  private static void compare(Graph graph, SessionSettings settings, Engine jni, Engine ffm)
      throws GraphFailure {
    try (NativeGraph expected = graph.load(jni, settings);
        NativeGraph actual = graph.load(ffm, settings);
        Workspace theirs = expected.workspace();
        Workspace ours = actual.workspace()) {
      for (List<PackedBlock> request : graph.requests()) {
        compare(graph, request, Graph.candidates(request), theirs, ours);
      }
      for (int size : SIZES) {
        compare(graph, graph.last(), size, theirs, ours);
      }
    }
  }

  private static void compare(
      Graph graph, List<PackedBlock> request, int size, Workspace theirs, Workspace ours)
      throws GraphFailure {
    Graph.fill(theirs, request, size);
    theirs.run(null);
    Graph.fill(ours, request, size);
    ours.run(null);
    assertEquals(graph.results(theirs), graph.results(ours), () -> size + " candidates");
  }
}
