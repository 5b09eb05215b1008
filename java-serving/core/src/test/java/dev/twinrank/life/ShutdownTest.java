package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.life.Victim.Ending;
import dev.twinrank.life.Victim.Hook;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process may be ended at any point: it neither crashes nor lets a load or an answer fail that
 * was under way. Without the reference that OrtHost takes, or without the count of users, no such
 * run ends well; RATIONALE.md has the figures.
 */
class ShutdownTest {
  private static final int SIGNALS = Size.of(6, 30, 200);
  private static final int ENDINGS = Size.of(3, 12, 60);

  /** Where it is ended, and how much later at most, in milliseconds. */
  private record Point(String mark, int late) {}

  private static final List<Point> POINTS =
      List.of(
          new Point("start/1", 400),
          new Point("call/200", 20),
          new Point("swap/5", 20),
          new Point("refuse/5", 20),
          new Point("close/5", 2),
          new Point("start/1", 800),
          new Point("open/3", 20),
          new Point("damage/20", 20),
          new Point("swap/30", 20),
          new Point("refuse/40", 20));

  private static final List<Point> SLOW =
      List.of(new Point("slow load/2", 200), new Point("slow run/2", 200));

  @TempDir static Path folder;

  private static Path models;

  @BeforeAll
  static void makeBundles() throws IOException {
    models = Bundles.make(folder);
  }

  @Test
  @DisabledOnOs(value = OS.WINDOWS, disabledReason = "there is no SIGTERM")
  void processThatIsTerminatedNeitherCrashesNorFailsWhatIsUnderWay() throws Exception {
    Tally tally = new Tally();
    Random random = new Random(7);
    for (int round = 0; round < SIGNALS; round++) {
      boolean slow = round % 10 == 9;
      Hook hook = round % 2 == 0 ? Hook.DRAIN : round % 4 == 1 ? Hook.NONE : Hook.CLOSE;
      Point point = slow ? SLOW.get(round / 10 % SLOW.size()) : POINTS.get(round % POINTS.size());
      end(round, Ending.SIGNAL, hook, point, slow, random, tally);
    }
    assertTrue(tally.reloads > 0, "no signal came while a store activated a version");
    Size.report(
        "%d SIGTERMs, %d of them in a store's reload: 0 crashes, %d answers and %d loads while they"
            + " ended, 0 failed",
        SIGNALS, tally.reloads, tally.answers, tally.loads);
  }

  @Test
  void processThatEndsItselfNeitherCrashesNorFailsWhatIsUnderWay() throws Exception {
    Tally tally = new Tally();
    Random random = new Random(8);
    Ending[] endings = {Ending.EXIT, Ending.EXIT_OF_A_CALLER, Ending.HALT};
    for (int round = 0; round < ENDINGS; round++) {
      Ending ending = endings[round % endings.length];
      // A hook that waits for the caller that has called exit would wait for itself.
      Hook hook = round / 3 % 2 == 0 ? Hook.NONE : ending == Ending.EXIT ? Hook.DRAIN : Hook.CLOSE;
      boolean slow = round % 6 >= 4;
      Point point = slow ? SLOW.get(round % 2) : POINTS.get(random.nextInt(POINTS.size()));
      end(1000 + round, ending, hook, point, slow, random, tally);
    }
    Size.report(
        "%d exits and halts: 0 crashes, %d answers and %d loads while they ended, 0 failed",
        ENDINGS, tally.answers, tally.loads);
  }

  private static final class Tally {
    private long answers;
    private long loads;
    private long reloads;
  }

  private static void end(
      int round, Ending ending, Hook hook, Point point, boolean slow, Random random, Tally tally)
      throws IOException, InterruptedException {
    Path home = folder.resolve("round-" + round);
    String serving = SERVING.get(round % SERVING.size());
    try (Child child =
        Child.start(
            home, OPTIONS, Victim.class, models, serving, point.mark(), ending, hook, slow)) {
      child.await("now");
      Thread.sleep(random.nextInt(point.late() + 1));
      if (ending == Ending.SIGNAL) {
        child.terminate();
      } else {
        child.speak();
      }
      int code = child.end();
      String what = "round " + round + ": " + serving + ", " + point + ", " + hook + ", ";
      assertFalse(child.crashed(), () -> what + child.story());
      assertEquals(ending.code, code, () -> what + child.story());
      String last = child.lines().get(child.lines().size() - 1);
      if (hook == Hook.DRAIN) {
        assertTrue(last.startsWith("drained "), () -> what + child.story());
        count(last.substring("drained ".length()), tally, serving.equals("store"));
      } else if (hook == Hook.CLOSE && ending != Ending.HALT) {
        assertTrue(child.lines().contains("closed"), () -> what + child.story());
      }
    }
  }

  /** Nothing that was begun may have been lost. */
  private static void count(String workers, Tally tally, boolean store) {
    for (String worker : workers.isEmpty() ? new String[0] : workers.split(";", -1)) {
      int done = worker.lastIndexOf(' ');
      int begun = worker.lastIndexOf(' ', done - 1);
      assertEquals(worker.substring(begun + 1, done), worker.substring(done + 1), worker);
      long number = Long.parseLong(worker.substring(done + 1));
      int underWay = worker.lastIndexOf(' ', begun - 1);
      String what = worker.substring(0, underWay);
      if (store && what.equals("swap")) {
        tally.reloads += Long.parseLong(worker.substring(underWay + 1, begun));
      }
      if (what.equals("call") || what.equals("slow run")) {
        tally.answers += number;
      } else {
        tally.loads += number;
      }
    }
  }

  private static final List<String> OPTIONS = List.of("-Xmx256m");
  private static final List<String> SERVING = List.of("store", "model", "store");
}
