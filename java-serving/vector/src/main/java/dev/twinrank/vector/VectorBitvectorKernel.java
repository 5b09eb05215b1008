package dev.twinrank.vector;

import dev.twinrank.core.internal.trees.Bitvectors;
import dev.twinrank.core.internal.trees.Forest;
import dev.twinrank.core.internal.trees.TreeKernel;
import java.util.Arrays;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Scores blocks of rows by {@link Bitvectors}, with the bits of four vectors of rows in registers
 * while all splits of a word go by: a split costs a row's lane one load, one comparison and one
 * masked AND, where the plain kernel also loads and stores the bits (Ye et al., "RapidScorer", KDD
 * 2018). Immutable and thread-safe; a scratch belongs to one thread at a time.
 */
final class VectorBitvectorKernel implements TreeKernel {
  private static final VectorSpecies<Integer> SPECIES = IntVector.SPECIES_PREFERRED;
  private static final int LANES = SPECIES.length();
  private static final int BLOCK = 256;

  private final Forest forest;
  private final Bitvectors vectors;

  VectorBitvectorKernel(Forest forest, Bitvectors vectors) {
    this.forest = forest;
    this.vectors = vectors;
  }

  private static final class Room implements Scratch {
    private final int[][] ranks;
    private final int[] leaves = new int[BLOCK];

    Room(int columns) {
      ranks = new int[columns][BLOCK];
    }
  }

  @Override
  public String name() {
    return "vector-bitvector";
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
      vectors.rank(values, from, size, room.ranks, VectorSearch.LINEAR);
      for (int tree = 0; tree < forest.trees(); tree++) {
        // Rows beyond the last have ranks of an earlier block, or 0: nobody reads their leaves.
        for (int row = 0; row < size; row += 4 * LANES) {
          four(tree, room.ranks, row, room.leaves);
        }
        add(tree, room.leaves, scores[forest.target(tree)], from, size);
      }
    }
  }

  // Whatever takes or returns a vector must be inlined, or every vector becomes an object; the JVM
  // promises that for the Vector API's own methods only. Hence no helpers here: with them, a
  // process
  // that had scored forests with sets scored others at a third of the speed.
  private void four(int tree, int[][] ranks, int row, int[] leaves) {
    int low = vectors.firstWord(tree);
    IntVector p = IntVector.zero(SPECIES);
    IntVector q = p;
    IntVector r = p;
    IntVector s = p;
    for (int word = vectors.firstWord(tree + 1) - 1; word >= low; word--) {
      IntVector a = IntVector.broadcast(SPECIES, -1);
      IntVector b = a;
      IntVector c = a;
      IntVector d = a;
      int sets = vectors.firstSet(word);
      for (int entry = vectors.firstEntry(word); entry < sets; entry++) {
        int[] column = ranks[vectors.column(entry)];
        int cut = vectors.cut(entry);
        int mask = vectors.mask(entry);
        a =
            a.lanewise(
                VectorOperators.AND,
                mask,
                IntVector.fromArray(SPECIES, column, row).compare(VectorOperators.GE, cut));
        b =
            b.lanewise(
                VectorOperators.AND,
                mask,
                IntVector.fromArray(SPECIES, column, row + LANES).compare(VectorOperators.GE, cut));
        c =
            c.lanewise(
                VectorOperators.AND,
                mask,
                IntVector.fromArray(SPECIES, column, row + 2 * LANES)
                    .compare(VectorOperators.GE, cut));
        d =
            d.lanewise(
                VectorOperators.AND,
                mask,
                IntVector.fromArray(SPECIES, column, row + 3 * LANES)
                    .compare(VectorOperators.GE, cut));
      }
      int end = vectors.firstEntry(word + 1);
      for (int entry = sets; entry < end; entry++) {
        int[] column = ranks[vectors.column(entry)];
        int[] answer = vectors.answer(entry);
        int mask = vectors.mask(entry);
        a = a.and(IntVector.fromArray(SPECIES, answer, 0, column, row).or(mask));
        b = b.and(IntVector.fromArray(SPECIES, answer, 0, column, row + LANES).or(mask));
        c = c.and(IntVector.fromArray(SPECIES, answer, 0, column, row + 2 * LANES).or(mask));
        d = d.and(IntVector.fromArray(SPECIES, answer, 0, column, row + 3 * LANES).or(mask));
      }
      int first = 32 * (word - low);
      p =
          p.blend(
              a.lanewise(VectorOperators.TRAILING_ZEROS_COUNT).add(first),
              a.compare(VectorOperators.NE, 0));
      q =
          q.blend(
              b.lanewise(VectorOperators.TRAILING_ZEROS_COUNT).add(first),
              b.compare(VectorOperators.NE, 0));
      r =
          r.blend(
              c.lanewise(VectorOperators.TRAILING_ZEROS_COUNT).add(first),
              c.compare(VectorOperators.NE, 0));
      s =
          s.blend(
              d.lanewise(VectorOperators.TRAILING_ZEROS_COUNT).add(first),
              d.compare(VectorOperators.NE, 0));
    }
    p.intoArray(leaves, row);
    q.intoArray(leaves, row + LANES);
    r.intoArray(leaves, row + 2 * LANES);
    s.intoArray(leaves, row + 3 * LANES);
  }

  private void add(int tree, int[] found, double[] sums, int from, int size) {
    double[] leaves = vectors.leaves();
    int start = vectors.firstLeaf(tree);
    if (forest.floatSums()) {
      for (int i = 0; i < size; i++) {
        sums[from + i] = (float) (sums[from + i] + leaves[start + found[i]]);
      }
    } else {
      for (int i = 0; i < size; i++) {
        sums[from + i] += leaves[start + found[i]];
      }
    }
  }
}
