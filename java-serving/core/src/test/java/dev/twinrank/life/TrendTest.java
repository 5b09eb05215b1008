package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TrendTest {

  /** The line through 1, 2, 2, 3 by hand: slope 0.6, residual squares 0.2, t(2) = 4.303. */
  @Test
  void slopeAndIntervalAreTheTextbooks() {
    Trend trend = Trend.of(new double[] {1, 1, 2, 2, 2, 2, 3, 3}, 4);
    assertEquals(0.6, trend.slope(), 1e-12);
    assertEquals(0.6 - 4.303 * Math.sqrt(0.1 / 5), trend.low(), 1e-12);
    assertEquals(0.6 + 4.303 * Math.sqrt(0.1 / 5), trend.high(), 1e-12);
    assertEquals(2, trend.total());
  }

  @Test
  void noiseAndOneStepAreNoLeakAndSteadyGrowthIs() {
    Random random = new Random(5);
    double[] noise = IntStream.range(0, 60).mapToDouble(i -> random.nextInt(400)).toArray();
    assertFalse(Trend.of(noise, 6).leaks(1000, 64_000));
    double[] step = IntStream.range(0, 60).mapToDouble(i -> i < 30 ? 0 : 500).toArray();
    assertFalse(Trend.of(step, 6).leaks(1000, 64_000));
    double[] growth =
        IntStream.range(0, 60).mapToDouble(i -> 50.0 * i + random.nextInt(400)).toArray();
    assertTrue(Trend.of(growth, 6).leaks(1000, 64_000));
    double[] jump = IntStream.range(0, 60).mapToDouble(i -> i < 30 ? 0 : 65_000).toArray();
    assertTrue(Trend.of(jump, 6).leaks(100_000, 64_000));
  }
}
