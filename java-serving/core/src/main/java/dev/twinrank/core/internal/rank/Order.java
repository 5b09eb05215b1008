package dev.twinrank.core.internal.rank;

import dev.twinrank.core.DType;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The best of a slate in order: highest score first, −0 equal to +0, ties by index. Immutable.
 *
 * <p>Candidates are collected until they are twice as many as are wanted; then the worse half goes,
 * and from then on only what is better than the worst that stayed is collected. Later candidates
 * lose ties, so that nothing is lost by that.
 */
public final class Order {
  private static final VarHandle FLOATS = view(float[].class);
  private static final VarHandle DOUBLES = view(double[].class);
  private static final int[] NONE = {};
  private static final int LEAST_COLLECTED = 64;

  /** What a thread keeps: an array of no class of ours, so that no loader is held by it. */
  private static final ThreadLocal<long[]> SCRATCH =
      ThreadLocal.withInitial(() -> new long[LEAST_COLLECTED]);

  private static final int MOST_KEPT = 1 << 14;

  private final int[] ranked;
  private final int[] dropped;

  private Order(int[] ranked, int[] dropped) {
    this.ranked = ranked;
    this.dropped = dropped;
  }

  /**
   * Orders scores.
   *
   * @param scores holds the scores, little-endian
   * @param from where the first begins
   * @param count how many there are
   * @param dtype float32 or float64
   * @param limit how many are wanted at most
   */
  public static Order of(byte[] scores, int from, int count, DType dtype, int limit) {
    boolean narrow = dtype == DType.FLOAT32;
    int wanted = Math.min(limit, count);
    int[] dropped = dropped(scores, from, count, narrow);
    int[] ranked = new int[Math.min(wanted, count - dropped.length)];
    if (ranked.length > 0) {
      int room = (int) Math.min(count, Math.max(LEAST_COLLECTED, 2L * wanted));
      if (narrow) {
        narrow(scores, from, count, ranked, scratch(room), room);
      } else {
        wide(scores, from, count, ranked, room);
      }
    }
    return new Order(ranked, dropped);
  }

  private static long[] scratch(int room) {
    long[] kept = SCRATCH.get();
    if (kept.length < room) {
      kept = new long[room];
      if (room <= MOST_KEPT) {
        SCRATCH.set(kept);
      }
    }
    return kept;
  }

  private static int[] dropped(byte[] scores, int from, int count, boolean narrow) {
    int lost = 0;
    for (int i = 0; i < count; i++) {
      lost += isNaN(scores, from, i, narrow) ? 1 : 0;
    }
    if (lost == 0) {
      return NONE;
    }
    int[] dropped = new int[lost];
    for (int i = count - 1; lost > 0; i--) {
      if (isNaN(scores, from, i, narrow)) {
        dropped[--lost] = i;
      }
    }
    return dropped;
  }

  private static boolean isNaN(byte[] scores, int from, int i, boolean narrow) {
    return narrow ? Float.isNaN(single(scores, from, i)) : Double.isNaN(real(scores, from, i));
  }

  /** A float32 and its index make one integer, which the library sorts fastest of all. */
  private static void narrow(
      byte[] scores, int from, int count, int[] ranked, long[] best, int room) {
    int size = 0;
    long bound = Long.MAX_VALUE;
    for (int i = 0; i < count; i++) {
      float score = single(scores, from, i);
      if (Float.isNaN(score)) {
        continue;
      }
      long place = place(score, i);
      if (place < bound) {
        best[size++] = place;
        if (size == room && i + 1 < count) {
          Arrays.sort(best, 0, size);
          size = ranked.length;
          bound = best[size - 1];
        }
      }
    }
    Arrays.sort(best, 0, size);
    for (int place = 0; place < ranked.length; place++) {
      ranked[place] = (int) best[place];
    }
  }

  /** Returns what is less, the higher the score is, and among equal scores the lower the index. */
  private static long place(float score, int index) {
    int bits = Float.floatToRawIntBits(score + 0.0f); // −0 + 0 is +0
    int ascending = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
    return ((long) ~ascending << 32) | index;
  }

  private static void wide(byte[] scores, int from, int count, int[] ranked, int room) {
    int[] best = new int[room];
    int[] other = new int[room];
    int size = 0;
    boolean bounded = false;
    double bound = 0;
    for (int i = 0; i < count; i++) {
      double score = real(scores, from, i);
      if (Double.isNaN(score) || (bounded && !(score > bound))) {
        continue;
      }
      best[size++] = i;
      if (size == room && i + 1 < count) {
        int[] sorted = sorted(best, other, size, scores, from);
        other = sorted == best ? other : best;
        best = sorted;
        size = ranked.length;
        bound = real(scores, from, best[size - 1]);
        bounded = true;
      }
    }
    System.arraycopy(sorted(best, other, size, scores, from), 0, ranked, 0, ranked.length);
  }

  /** Sorts by merging from the bottom up: stable, so that ties keep the order of their indices. */
  private static int[] sorted(int[] best, int[] other, int size, byte[] scores, int first) {
    int[] from = best;
    int[] to = other;
    for (int width = 1; width < size; width *= 2) {
      for (int low = 0; low < size; low += 2 * width) {
        int left = low;
        int middle = Math.min(low + width, size);
        int right = middle;
        int high = Math.min(low + 2 * width, size);
        for (int at = low; at < high; at++) {
          // The comparison of primitives, under which −0 equals +0; Double.compare would part them.
          boolean takeRight =
              left == middle
                  || (right < high
                      && real(scores, first, from[right]) > real(scores, first, from[left]));
          to[at] = takeRight ? from[right++] : from[left++];
        }
      }
      int[] swap = from;
      from = to;
      to = swap;
    }
    return from;
  }

  private static float single(byte[] scores, int from, int index) {
    return (float) FLOATS.get(scores, from + index * Float.BYTES);
  }

  private static double real(byte[] scores, int from, int index) {
    return (double) DOUBLES.get(scores, from + index * Double.BYTES);
  }

  private static VarHandle view(Class<?> array) {
    return MethodHandles.byteArrayViewVarHandle(array, ByteOrder.LITTLE_ENDIAN);
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
