package dev.twinrank.core.internal.rank;

import java.util.Arrays;

/** The order of a slate: highest score first, −0 equal to +0, ties by index. Immutable. */
public final class Order {
  private final int[] ranked;
  private final int[] dropped;

  private Order(int[] ranked, int[] dropped) {
    this.ranked = ranked;
    this.dropped = dropped;
  }

  /** Orders scores. */
  public static Order of(double[] scores) {
    int[] ranked = new int[scores.length];
    int[] dropped = new int[scores.length];
    int kept = 0;
    int lost = 0;
    for (int i = 0; i < scores.length; i++) {
      if (Double.isNaN(scores[i])) {
        dropped[lost++] = i;
      } else {
        ranked[kept++] = i;
      }
    }
    return new Order(sorted(Arrays.copyOf(ranked, kept), scores), Arrays.copyOf(dropped, lost));
  }

  /** Sorts by merging from the bottom up: stable, so that ties keep the order of their indices. */
  private static int[] sorted(int[] indices, double[] scores) {
    int[] from = indices;
    int[] to = new int[indices.length];
    for (int width = 1; width < indices.length; width *= 2) {
      for (int low = 0; low < indices.length; low += 2 * width) {
        int middle = Math.min(low + width, indices.length);
        int high = Math.min(low + 2 * width, indices.length);
        merge(from, to, low, middle, high, scores);
      }
      int[] swap = from;
      from = to;
      to = swap;
    }
    return from;
  }

  private static void merge(int[] from, int[] to, int low, int middle, int high, double[] scores) {
    int left = low;
    int right = middle;
    for (int at = low; at < high; at++) {
      // The comparison of primitives, under which −0 equals +0; Double.compare would part them.
      boolean takeRight =
          left == middle || (right < high && scores[from[right]] > scores[from[left]]);
      to[at] = takeRight ? from[right++] : from[left++];
    }
  }

  /** Returns how many candidates are ranked. */
  public int size() {
    return ranked.length;
  }

  /** Returns the candidate at a place of the ranking. */
  public int at(int place) {
    return ranked[place];
  }

  /** Returns how many candidates have NaN for a score. */
  public int droppedSize() {
    return dropped.length;
  }

  /** Returns a candidate whose score is NaN; they ascend. */
  public int droppedAt(int place) {
    return dropped[place];
  }
}
