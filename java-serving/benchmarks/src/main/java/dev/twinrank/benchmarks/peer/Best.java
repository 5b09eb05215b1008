package dev.twinrank.benchmarks.peer;

import java.util.Arrays;

/** The best candidates by a sort of primitives, as somebody writes it who wants it fast. */
final class Best {
  private long[] keys = new long[0];

  /** Returns the k best, ties by input order; scores are finite. */
  int[] of(float[] scores, int k) {
    int n = scores.length;
    if (keys.length < n) {
      keys = new long[n];
    }
    for (int i = 0; i < n; i++) {
      int bits = Float.floatToRawIntBits(scores[i] + 0.0f); // minus zero ties with zero
      int ascending = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
      keys[i] = ((long) ~ascending << 32) | i;
    }
    Arrays.sort(keys, 0, n);
    int[] best = new int[Math.min(k, n)];
    for (int i = 0; i < best.length; i++) {
      best[i] = (int) keys[i];
    }
    return best;
  }
}
