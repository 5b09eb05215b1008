package dev.twinrank.core.internal.trees;

import java.util.Arrays;

/** The columns that a program works on. Belongs to one thread at a time. */
final class Registers {
  private static final int LEAST = 8;

  private final double[][] floats;
  private final long[][] longs;
  private int room;

  Registers(int floats, int longs) {
    this.floats = new double[floats][0];
    this.longs = new long[longs][0];
  }

  /**
   * Makes room for rows.
   *
   * @return whether there was too little, so that everything is lost
   */
  boolean grow(int rows, int most) {
    if (rows <= room) {
      return false;
    }
    room = Math.min(most, Math.max(LEAST, rows + rows / 2));
    for (int i = 0; i < floats.length; i++) {
      floats[i] = new double[room];
    }
    for (int i = 0; i < longs.length; i++) {
      longs[i] = new long[room];
    }
    return true;
  }

  /** Returns for how many rows there is room. */
  int room() {
    return room;
  }

  double[] floats(int index) {
    return floats[index];
  }

  long[] longs(int index) {
    return longs[index];
  }

  /** Makes every row of a column its first one. */
  void spread(Type type, int index, int rows) {
    if (type.isFloat()) {
      Arrays.fill(floats[index], 0, rows, floats[index][0]);
    } else {
      Arrays.fill(longs[index], 0, rows, longs[index][0]);
    }
  }

  /** Fills a column with a constant. */
  void fill(Type type, int index, long bits) {
    if (type.isFloat()) {
      Arrays.fill(floats[index], Double.longBitsToDouble(bits));
    } else {
      Arrays.fill(longs[index], bits);
    }
  }
}
