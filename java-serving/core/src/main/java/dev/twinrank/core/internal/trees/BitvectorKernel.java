package dev.twinrank.core.internal.trees;

import java.util.Arrays;
import java.util.Optional;

/**
 * Scores blocks of rows by {@link Bitvectors}, a word of a tree at a time, without a branch (many
 * rows to a split: Ye et al., "RapidScorer", KDD 2018). Every innermost loop goes over rows, with
 * one index for all its arrays: the JVM turns it into instructions for several rows at once.
 */
final class BitvectorKernel implements TreeKernel {
  private static final int BLOCK = 256;
  private static final int LANES = 64;

  private final Forest forest;
  private final Bitvectors vectors;
  private final boolean manyWords;

  private BitvectorKernel(Forest forest, Bitvectors vectors) {
    this.forest = forest;
    this.vectors = vectors;
    manyWords = forest.mostLeaves() > 32;
  }

  /** Returns the kernel, unless the forest does not fit. */
  static Optional<TreeKernel> of(Forest forest, Ranks ranks) {
    return Bitvectors.of(forest, ranks).map(vectors -> new BitvectorKernel(forest, vectors));
  }

  private static final class Room implements Scratch {
    private final int[][] ranks;
    private final int[] bits = new int[BLOCK];
    private final int[] kept = new int[BLOCK];
    private final int[] first = new int[BLOCK];

    Room(int columns) {
      ranks = new int[columns][BLOCK];
    }
  }

  @Override
  public String name() {
    return "bitvector";
  }

  @Override
  public boolean needsMany() {
    return true;
  }

  @Override
  public Scratch scratch() {
    return new Room(vectors.rankColumns());
  }

  @Override
  public void score(double[][] values, int rows, double[][] scores, Scratch scratch) {
    Room room = (Room) scratch;
    for (double[] each : scores) {
      Arrays.fill(each, 0, rows, 0.0);
    }
    for (int from = 0; from < rows; from += BLOCK) {
      int size = Math.min(BLOCK, rows - from);
      vectors.rank(values, from, size, room.ranks, Bitvectors.Search.NONE);
      // Rows beyond the last have ranks of an earlier block, or 0: nobody reads their bits. A JVM
      // that has seen these loops run for single rows leaves them without vectors for good.
      int padded = Math.min(BLOCK, (size + LANES - 1) / LANES * LANES);
      for (int tree = 0; tree < forest.roots.length; tree++) {
        double[] sums = scores[forest.treeTargets[tree]];
        if (manyWords) {
          words(tree, room, padded);
          add(tree, room.kept, room.first, sums, from, size);
        } else {
          word(vectors.firstWord(tree), room, padded);
          add(tree, room.bits, sums, from, size);
        }
      }
    }
  }

  /** Finds the lowest word that has bits left: its bits, and the number of its first. */
  private void words(int tree, Room room, int size) {
    int low = vectors.firstWord(tree);
    Arrays.fill(room.kept, 0, size, 0);
    Arrays.fill(room.first, 0, size, 0);
    for (int word = vectors.firstWord(tree + 1) - 1; word >= low; word--) {
      word(word, room, size);
      choose(room.bits, room.kept, size);
      move(room.bits, room.first, 32 * (word - low), size);
    }
  }

  private static void choose(int[] bits, int[] kept, int size) {
    for (int i = 0; i < size; i++) {
      int any = (bits[i] | -bits[i]) >> 31;
      kept[i] = (kept[i] & ~any) | bits[i];
    }
  }

  private static void move(int[] bits, int[] first, int here, int size) {
    for (int i = 0; i < size; i++) {
      int any = (bits[i] | -bits[i]) >> 31;
      first[i] = (first[i] & ~any) | (here & any);
    }
  }

  private void word(int word, Room room, int size) {
    int[] bits = room.bits;
    Arrays.fill(bits, 0, size, -1);
    int sets = vectors.firstSet(word);
    int entry = vectors.firstEntry(word);
    // Four a pass: the bits are loaded and stored once for all four.
    for (; entry + 4 <= sets; entry += 4) {
      numbers(
          bits,
          room.ranks[vectors.column(entry)],
          vectors.cut(entry),
          vectors.mask(entry),
          room.ranks[vectors.column(entry + 1)],
          vectors.cut(entry + 1),
          vectors.mask(entry + 1),
          room.ranks[vectors.column(entry + 2)],
          vectors.cut(entry + 2),
          vectors.mask(entry + 2),
          room.ranks[vectors.column(entry + 3)],
          vectors.cut(entry + 3),
          vectors.mask(entry + 3),
          size);
    }
    for (; entry < sets; entry++) {
      number(
          bits, room.ranks[vectors.column(entry)], vectors.cut(entry), vectors.mask(entry), size);
    }
    for (; entry < vectors.firstEntry(word + 1); entry++) {
      set(
          bits,
          room.ranks[vectors.column(entry)],
          vectors.answer(entry),
          vectors.mask(entry),
          size);
    }
  }

  private static void numbers(
      int[] bits,
      int[] a,
      int cutA,
      int maskA,
      int[] b,
      int cutB,
      int maskB,
      int[] c,
      int cutC,
      int maskC,
      int[] d,
      int cutD,
      int maskD,
      int size) {
    for (int i = 0; i < size; i++) {
      bits[i] &=
          (((a[i] - cutA) >> 31) | maskA)
              & (((b[i] - cutB) >> 31) | maskB)
              & (((c[i] - cutC) >> 31) | maskC)
              & (((d[i] - cutD) >> 31) | maskD);
    }
  }

  private static void number(int[] bits, int[] ranks, int cut, int mask, int size) {
    for (int i = 0; i < size; i++) {
      bits[i] &= ((ranks[i] - cut) >> 31) | mask;
    }
  }

  private static void set(int[] bits, int[] ranks, int[] answer, int mask, int size) {
    for (int i = 0; i < size; i++) {
      bits[i] &= answer[ranks[i]] | mask;
    }
  }

  private void add(int tree, int[] bits, double[] sums, int from, int size) {
    double[] leaves = vectors.leaves();
    int start = vectors.firstLeaf(tree);
    if (forest.floatSums) {
      for (int i = 0; i < size; i++) {
        sums[from + i] =
            (float) (sums[from + i] + leaves[start + Integer.numberOfTrailingZeros(bits[i])]);
      }
    } else {
      for (int i = 0; i < size; i++) {
        sums[from + i] += leaves[start + Integer.numberOfTrailingZeros(bits[i])];
      }
    }
  }

  private void add(int tree, int[] bits, int[] first, double[] sums, int from, int size) {
    double[] leaves = vectors.leaves();
    int start = vectors.firstLeaf(tree);
    for (int i = 0; i < size; i++) {
      int leaf = first[i] + Integer.numberOfTrailingZeros(bits[i]);
      double sum = sums[from + i] + leaves[start + leaf];
      sums[from + i] = forest.floatSums ? (float) sum : sum;
    }
  }
}
