package dev.twinrank.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.Workspace;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StopTest {
  private static Graph tiny;
  private static NativeGraph graph;

  private final List<String> calls = new ArrayList<>();
  private Workspace workspace;

  @BeforeAll
  static void load() throws GraphFailure {
    tiny = Graph.tiny();
    graph = tiny.load(FfmEngine.start());
  }

  @AfterAll
  static void close() {
    graph.close();
  }

  @BeforeEach
  void fill() throws GraphFailure {
    workspace = graph.workspace();
    Graph.fill(workspace, tiny.last());
  }

  /** Writes down what is called, and does something when it is handed the action. */
  private final class Recorder implements Workspace.Stop {
    private final boolean start;
    private final Consumer<Runnable> attached;
    private Runnable action;

    Recorder(boolean start, Consumer<Runnable> attached) {
      this.start = start;
      this.attached = attached;
    }

    @Override
    public boolean attach(Runnable terminate) {
      calls.add("attach");
      action = terminate;
      attached.accept(terminate);
      return start;
    }

    @Override
    public void detach() {
      calls.add("detach");
    }
  }

  @Test
  void stoppableRunAnswersAsAnyOther() throws GraphFailure {
    workspace.run(null);
    List<?> expected = tiny.results(workspace);
    for (int i = 0; i < tiny.outputs().size(); i++) {
      workspace.output(i).putInt(0, 12345);
    }
    workspace.run(new Recorder(true, action -> {}));
    assertEquals(expected, tiny.results(workspace));
    assertEquals(List.of("attach", "detach"), calls);
  }

  @Test
  void whatMustNotStartDoesNotStart() {
    workspace.output(0).putInt(0, 12345);
    GraphFailure failure =
        assertThrows(GraphFailure.class, () -> workspace.run(new Recorder(false, Runnable::run)));
    assertEquals("the run was stopped before it began", failure.getMessage());
    assertEquals(12345, workspace.output(0).getInt(0));
    assertEquals(List.of("attach"), calls);
  }

  @Test
  void aStoppedRunFailsAndTheNextOneDoesNot() throws GraphFailure {
    for (int i = 0; i < 3; i++) {
      Recorder stop =
          new Recorder(
              true,
              action -> {
                action.run();
                action.run();
              });
      GraphFailure failure = assertThrows(GraphFailure.class, () -> workspace.run(stop));
      assertTrue(failure.getMessage().contains("terminate flag"), failure.getMessage());
      workspace.run(new Recorder(true, action -> {}));
    }
  }

  @Test
  void anActionThatComesTooLateEndsNothing() throws GraphFailure {
    Recorder late = new Recorder(true, action -> {});
    workspace.run(late);
    late.action.run();
    workspace.run(new Recorder(true, action -> late.action.run()));
    workspace.close();
    late.action.run();
  }
}
