package dev.twinrank.life;

import java.util.Arrays;
import java.util.Locale;

/**
 * Whether a row of measurements grows: the slope of the line through them by least squares, and its
 * 95 % interval.
 *
 * <p>Memory grows in steps, so neighbours are not independent and the usual interval would be too
 * narrow. The row is therefore cut into blocks, each is represented by its lowest value (what is
 * held in spite of noise), and the interval is that of the line through these.
 *
 * @param slope growth a block
 * @param low the lower end of the 95 % interval of the slope
 * @param high the upper end
 * @param total growth from the first block to the last
 */
record Trend(double slope, double low, double high, double total) {
  /** Student's t for a two-sided 95 %, by degrees of freedom from 1. */
  private static final double[] T = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160
  };

  static Trend of(double[] values, int blocks) {
    if (blocks < 3 || blocks - 2 > T.length || values.length < 2 * blocks) {
      throw new IllegalArgumentException(values.length + " values in " + blocks + " blocks");
    }
    double[] lowest = new double[blocks];
    for (int i = 0; i < blocks; i++) {
      int from = i * values.length / blocks;
      int to = (i + 1) * values.length / blocks;
      lowest[i] = Arrays.stream(values, from, to).min().orElseThrow();
    }
    double middle = (blocks - 1) / 2.0;
    double mean = Arrays.stream(lowest).average().orElseThrow();
    double xx = 0;
    double xy = 0;
    for (int i = 0; i < blocks; i++) {
      xx += (i - middle) * (i - middle);
      xy += (i - middle) * (lowest[i] - mean);
    }
    double slope = xy / xx;
    double squares = 0;
    for (int i = 0; i < blocks; i++) {
      double rest = lowest[i] - mean - slope * (i - middle);
      squares += rest * rest;
    }
    double reach = T[blocks - 3] * Math.sqrt(squares / (blocks - 2) / xx);
    return new Trend(slope, slope - reach, slope + reach, lowest[blocks - 1] - lowest[0]);
  }

  /**
   * Returns whether this is a leak: the interval lies above zero and the growth is more than an
   * allocator's last steps, or the growth is more than is allowed in all.
   */
  boolean leaks(double steps, double allowed) {
    return (low > 0 && total > steps) || total > allowed;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%.0f a block [%.0f, %.0f], %.0f in all", slope, low, high, total);
  }
}
