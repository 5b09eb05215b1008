package dev.twinrank.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.SessionSettings.Optimization;
import dev.twinrank.core.internal.engine.Workspace;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What is made is freed, and the options that are asked for are those that the runtime has. */
class LifecycleTest {
  // `make full` asks for more.
  private static final int ROUNDS = Integer.getInteger("twinrank.ffm.rounds", 150);

  // Measured from round 200 to 1,200: 0.6 MB in all.
  private static final long LEAST_LEAK = 2 << 20;
  private static final long PAGE = 4096;

  private static Graph tiny;
  private static FfmEngine engine;

  @BeforeAll
  static void start() {
    tiny = Graph.tiny();
    engine = FfmEngine.start();
  }

  @Test
  @EnabledOnOs(value = OS.LINUX, disabledReason = "only there /proc tells what is resident")
  void loadsResizesStopsAndFailuresLeaveNothingBehind(@TempDir Path folder) throws Exception {
    // A heap that is resident from the start leaves the growth to native memory.
    List<String> grown =
        Fork.lines(
            folder,
            List.of(
                Fork.java(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xms64m",
                "-Xmx64m",
                "-XX:+AlwaysPreTouch",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dtwinrank.engine=ffm",
                "-Dbasedir=" + System.getProperty("basedir"),
                "-cp",
                System.getProperty("java.class.path"),
                LifecycleTest.class.getName()));
    long bytes = Long.parseLong(grown.get(0));
    assertTrue(bytes < LEAST_LEAK, () -> "the process grew by " + bytes + " bytes");
  }

  /** The process that loads; prints by how many bytes it has grown. */
  public static void main(String[] args) throws Exception {
    start();
    rounds(ROUNDS);
    long before = resident();
    rounds(ROUNDS);
    System.out.println(resident() - before);
  }

  private static void rounds(int rounds) throws GraphFailure {
    byte[] garbage = "not a model".getBytes(StandardCharsets.UTF_8);
    for (int round = 0; round < rounds; round++) {
      try (NativeGraph graph = tiny.load(engine);
          Workspace workspace = graph.workspace()) {
        for (int size = 1; size < 8; size++) {
          Graph.fill(workspace, tiny.last(), size);
          workspace.run(null);
        }
        assertThrows(GraphFailure.class, () -> workspace.run(new Stopped()));
      }
      assertThrows(
          GraphFailure.class,
          () ->
              engine.load(
                  garbage, tiny.folder(), SessionSettings.standard(), List.of(), List.of()));
    }
  }

  private static final class Stopped implements Workspace.Stop {
    @Override
    public boolean attach(Runnable terminate) {
      terminate.run();
      return true;
    }

    @Override
    public void detach() {}
  }

  private static long resident() throws IOException {
    return PAGE * Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]);
  }

  @Test
  @EnabledOnOs(value = OS.LINUX, disabledReason = "only there /proc lists native threads")
  void sessionsHaveTheThreadsThatAreAskedFor() throws Exception {
    assertEquals(0, threads(false, 1, 1));
    assertEquals(2, threads(false, 3, 1));
    assertEquals(0, threads(false, 1, 3));
    assertEquals(3, threads(true, 1, 4));
  }

  /** Returns how many threads a session adds to the process. */
  private static int threads(boolean parallel, int intraOp, int interOp) throws Exception {
    SessionSettings settings =
        new SessionSettings(Optimization.ALL, parallel, intraOp, interOp, true, true, true);
    int before = threads();
    try (NativeGraph graph = tiny.load(engine, settings)) {
      assertTrue(graph != null);
      return threads() - before;
    }
  }

  private static int threads() throws IOException {
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      return (int) tasks.filter(LifecycleTest::isOfTheRuntime).count();
    }
  }

  // The JVM's own threads have names of their own; the runtime's keep the creating thread's.
  private static boolean isOfTheRuntime(Path task) {
    try {
      String name = Files.readString(task.resolve("comm")).strip();
      return !name.matches(
          "(C[12] CompilerThre|GC Thread|G1 |VM |Common-|Signal|Finali|Refer|Notif|Servic|Monitor|Cleaner).*");
    } catch (IOException e) {
      return false; // it has ended meanwhile
    }
  }
}
