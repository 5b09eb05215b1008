package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A model may be closed while threads run it: they are told, and nothing crashes. With the bare
 * binding the first close does; here every process does many, because a crash ends one.
 */
class CloseTest {
  private static final int PROCESSES = Size.of(2, 4, 10);
  private static final int CLOSES = Size.of(40, 100, 300);

  private static final int ABUSES = Size.of(200, 1000, 5000);

  @TempDir Path folder;

  @Test
  void modelThatIsClosedUnderItsCallersTellsThemAndCrashesNothing() throws Exception {
    Path models = Bundles.make(folder);
    long answers = 0;
    for (int i = 0; i < PROCESSES; i++) {
      try (Child child =
          Child.start(
              folder.resolve("child" + i), List.of("-Xmx256m"), Closer.class, models, CLOSES)) {
        int code = child.end();
        assertFalse(child.crashed(), child::story);
        assertEquals(0, code, child::story);
        String last = child.lines().get(child.lines().size() - 1);
        assertTrue(last.startsWith("closes " + CLOSES + ", answers "), child::story);
        answers += Long.parseLong(last.substring(last.lastIndexOf(' ') + 1));
      }
    }
    Size.report(
        "%d closes under callers in %d processes: 0 crashes, %d answers, then only refusals",
        PROCESSES * CLOSES, PROCESSES, answers);
  }

  /** A slate belongs to one thread, but who forgets that gets exceptions and no crash. */
  @Test
  void slateThatIsTakenFromTheThreadThatScoresItCrashesNothing() throws Exception {
    Path models = Bundles.make(folder);
    try (Child child =
        Child.start(
            folder.resolve("abuser"), List.of("-Xmx256m"), SlateAbuser.class, models, ABUSES)) {
      int code = child.end();
      assertFalse(child.crashed(), child::story);
      assertEquals(0, code, child::story);
      String last = child.lines().get(child.lines().size() - 1);
      assertTrue(last.startsWith("abused " + ABUSES + ", scored "), child::story);
      Size.report("slates taken from the thread that scores them: %s; 0 crashes", last);
    }
  }
}
