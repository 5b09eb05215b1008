package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.life.Leaker.Plant;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Native memory stays where it is after a warm-up, and the same verdict on the same process finds
 * what a test has planted: without that, a green verdict would say nothing.
 */
@EnabledOnOs(value = OS.LINUX, disabledReason = "measures by /proc")
class LeakTest {
  private static final int RELOADS = Size.of(60, 200, 1000);
  private static final int ROUNDS = Integer.getInteger("twinrank.life.leak.rounds", 1);

  /** The JVM itself and the allocator grow at first. */
  private static final double WARM_UP = 0.5;

  private static final int BLOCKS = 6;

  /** What an allocator still takes in its last steps, and what is allowed in all, in kilobytes. */
  private static final double STEPS = 4 * 1024;

  private static final double ALLOWED = 64 * 1024;

  // A heap that is touched at the start and never grows is no part of the growth. It has room for
  // every version that a forgotten lease keeps: 100 kB each here.
  private static final int HEAP = Size.of(32, 64, 192);

  private static final List<String> OPTIONS =
      List.of(
          "-Xms" + HEAP + "m",
          "-Xmx" + HEAP + "m",
          "-XX:+AlwaysPreTouch",
          "-XX:ReservedCodeCacheSize=24m");

  @TempDir Path folder;

  @Test
  void nativeMemoryStaysFlatAndPlantedLeaksAreCaught() throws Exception {
    Path models = Bundles.make(folder);
    for (int round = 0; round < ROUNDS; round++) {
      for (Plant plant : Plant.values()) {
        String name = plant + "-" + round;
        Trend trend = measure(models, plant, name);
        Size.report("leak test over %d reloads, forgotten %s: kB %s", RELOADS, plant, trend);
        if (plant == Plant.NOTHING) {
          assertFalse(trend.leaks(STEPS, ALLOWED), () -> name + ": " + trend);
        } else {
          assertTrue(trend.leaks(STEPS, ALLOWED), () -> name + " was missed: " + trend);
        }
      }
    }
  }

  private Trend measure(Path models, Plant plant, String name)
      throws IOException, InterruptedException {
    try (Child child =
        Child.start(folder.resolve(name), OPTIONS, Leaker.class, models, RELOADS, plant)) {
      for (int i = 0; i < (plant == Plant.LEASE ? RELOADS : 0); i++) {
        child.await("anonymous "); // its store cannot close: the lease is not given back
      }
      if (plant == Plant.LEASE) {
        child.kill();
      }
      int code = child.end();
      assertFalse(child.crashed(), child::story);
      assertEquals(plant == Plant.LEASE ? Child.KILLED : 0, code, child::story);
      double[] values =
          child.lines().stream()
              .filter(line -> line.startsWith("anonymous "))
              .mapToDouble(line -> Double.parseDouble(line.substring("anonymous ".length())))
              .toArray();
      assertEquals(RELOADS, values.length, child::story);
      return Trend.of(Arrays.copyOfRange(values, (int) (RELOADS * WARM_UP), RELOADS), BLOCKS);
    }
  }
}
