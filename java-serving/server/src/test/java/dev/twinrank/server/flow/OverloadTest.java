package dev.twinrank.server.flow;

import static dev.twinrank.server.flow.Simulation.MILLI;
import static dev.twinrank.server.flow.Simulation.SECOND;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.server.flow.Simulation.Sim;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The goals of overload in a time of its own, where nothing but the line decides. */
class OverloadTest {
  private static final FlowSettings SETTINGS = new FlowSettings(1 << 20, 2);
  private static final long SERVICE = 5 * MILLI;
  private static final double CAPACITY = 2.0 * SECOND / SERVICE;
  private static final double NORMAL = 0.6 * CAPACITY;

  private static List<Sim> normal() {
    return new Simulation(SETTINGS, 1).load("x", 200, NORMAL, SERVICE, 0.2, 0, 20 * SECOND).run();
  }

  @Test
  void nothingIsRefusedAtNormalLoad() {
    assertEquals(0, Simulation.refused(normal(), "x", 0, 20 * SECOND));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 5, 10})
  void overloadCostsNeitherGoodputNorMuchLatencyAndEndsSoon(int factor) {
    double normalP99 = Simulation.latency(normal(), "x", 0.99, 2 * SECOND, 20 * SECOND);
    long from = 2 * SECOND;
    long to = 12 * SECOND;

    List<Sim> all =
        new Simulation(SETTINGS, 2)
            .load("x", 200, NORMAL, SERVICE, 0.2, 0, from)
            .load("x", 200, factor * CAPACITY, SERVICE, 0.2, from, to)
            .load("x", 200, NORMAL, SERVICE, 0.2, to, to + 5 * SECOND)
            .run();

    assertTrue(Simulation.goodput(all, "x", from, to) >= 0.9 * CAPACITY);
    double p99 = Simulation.latency(all, "x", 0.99, from, to);
    assertTrue(p99 <= 2 * normalP99, "p99 %f, normally %f".formatted(p99, normalP99));
    assertEquals(0, Simulation.refused(all, "x", to + SECOND, to + 5 * SECOND));
  }

  @Test
  void hugeSlatesDoNotStarveSmallOnes() {
    double alone = small(0).p99;
    Small beside = small(10);
    // As many again come in one lane as a thread can do in ten; the other lane hardly hears of it.
    assertEquals(0, beside.refused);
    assertTrue(beside.p99 <= 2 * alone, "p99 %f, alone %f".formatted(beside.p99, alone));
    assertTrue(beside.large >= 0.9 * SECOND / (40 * MILLI), "large ones a second: " + beside.large);
  }

  private record Small(double p99, long refused, double large) {}

  private static Small small(double largeFactor) {
    Simulation simulation =
        new Simulation(SETTINGS, 3).load("small", 20, 500, MILLI / 2, 0.3, 0, 10 * SECOND);
    if (largeFactor > 0) {
      simulation.load("large", 5_000, largeFactor * 25, 40 * MILLI, 0.2, 0, 10 * SECOND);
    }
    List<Sim> all = simulation.run();
    return new Small(
        Simulation.latency(all, "small", 0.99, SECOND, 10 * SECOND),
        Simulation.refused(all, "small", SECOND, 10 * SECOND),
        Simulation.goodput(all, "large", SECOND, 10 * SECOND));
  }
}
