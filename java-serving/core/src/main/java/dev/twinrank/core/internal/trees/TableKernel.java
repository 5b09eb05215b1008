package dev.twinrank.core.internal.trees;

import java.util.Arrays;
import java.util.Optional;

/**
 * Scores rows of a small forest one by one, all trees at once: for every rank of every rank column
 * a table holds what it leaves of each tree's vector of bits ({@link BitvectorKernel}), so that a
 * row is as many ANDs of whole lines of the table as there are columns, and a loop over the trees
 * to add their leaves. Trees have at most 32 leaves.
 */
final class TableKernel implements TreeKernel {
  private static final int MOST_LEAVES = 32;
  private static final int LANES = 16;
  private static final int LEAST_LINE = 64;

  /** Beyond it the table leaves the caches of one core, and with them goes what it wins. */
  static final long MOST_BYTES = 4L << 20;

  private final Forest forest;
  private final Ranks ranks;
  private final Cuts[] cuts;
  private final int padded;
  // By what a column is asked, by rank, by tree.
  private final int[][][] table;
  private final int[] leafStarts;
  private final double[] leaves;

  private TableKernel(Forest forest, Ranks ranks) {
    this.forest = forest;
    this.ranks = ranks;
    this.cuts = ranks.cuts();
    int trees = forest.roots.length;
    padded = padded(trees);
    table = new int[cuts.length][][];
    for (int i = 0; i < table.length; i++) {
      table[i] = new int[cuts[i].size()][padded];
      for (int[] line : table[i]) {
        Arrays.fill(line, -1);
      }
    }
    leafStarts = new int[trees];
    leaves = new double[forest.leaves.length];
    Filling filling = new Filling();
    for (int tree = 0; tree < trees; tree++) {
      leafStarts[tree] = filling.leaf;
      filling.first = filling.leaf;
      filling.add(tree, forest.roots[tree]);
    }
  }

  /** Returns the kernel, unless a tree has too many leaves or the table would be too large. */
  static Optional<TreeKernel> of(Forest forest, Ranks ranks) {
    long lines = 0;
    for (Cuts each : ranks.cuts()) {
      lines += each.size();
    }
    long bytes = lines * padded(forest.roots.length) * Integer.BYTES;
    return forest.mostLeaves() > MOST_LEAVES || bytes > MOST_BYTES
        ? Optional.empty()
        : Optional.of(new TableKernel(forest, ranks));
  }

  /**
   * Returns how long lines are: a JVM that has seen loops over a few trees leaves them without
   * vectors for good.
   */
  private static int padded(int trees) {
    return Math.max(LEAST_LINE, (trees + LANES - 1) / LANES * LANES);
  }

  private final class Filling {
    private int first;
    private int leaf;

    void add(int tree, int node) {
      if (node < 0) {
        leaves[leaf++] = forest.leaves[~node];
        return;
      }
      int from = leaf - first;
      add(tree, ranks.trues[node]);
      int to = leaf - first;
      int mask = ~(((1 << (to - from)) - 1) << from);
      int[][] lines = table[ranks.cutsOf(node)];
      for (int rank = 0; rank < lines.length; rank++) {
        if (!ranks.isTrue(node, rank)) {
          lines[rank][tree] &= mask;
        }
      }
      add(tree, ranks.falses[node]);
    }
  }

  private static final class Room implements Scratch {
    private final int[] ranks;
    private final int[] bits;

    Room(int columns, int padded) {
      ranks = new int[columns];
      bits = new int[padded];
    }
  }

  @Override
  public String name() {
    return "table";
  }

  @Override
  public Scratch scratch() {
    return new Room(cuts.length, padded);
  }

  @Override
  public void score(double[][] columns, int rows, double[][] scores, Scratch scratch) {
    Room room = (Room) scratch;
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < cuts.length; i++) {
        room.ranks[i] = cuts[i].rank(columns[cuts[i].source()][row]);
      }
      keep(room);
      if (scores.length == 1) {
        scores[0][row] = sum(room.bits);
      } else {
        add(room.bits, row, scores);
      }
    }
  }

  /**
   * Leaves in the bits what no column takes out: eight lines a pass, since a pass costs as well.
   */
  private void keep(Room room) {
    int[] own = room.ranks;
    int[] bits = room.bits;
    Arrays.fill(bits, -1);
    int column = 0;
    for (; column + 8 <= table.length; column += 8) {
      keep(
          bits,
          table[column][own[column]],
          table[column + 1][own[column + 1]],
          table[column + 2][own[column + 2]],
          table[column + 3][own[column + 3]],
          table[column + 4][own[column + 4]],
          table[column + 5][own[column + 5]],
          table[column + 6][own[column + 6]],
          table[column + 7][own[column + 7]]);
    }
    for (; column < table.length; column++) {
      keep(bits, table[column][own[column]]);
    }
  }

  private static void keep(
      int[] bits, int[] a, int[] b, int[] c, int[] d, int[] e, int[] f, int[] g, int[] h) {
    for (int i = 0; i < bits.length; i++) {
      bits[i] &= a[i] & b[i] & c[i] & d[i] & e[i] & f[i] & g[i] & h[i];
    }
  }

  private static void keep(int[] bits, int[] line) {
    for (int i = 0; i < bits.length; i++) {
      bits[i] &= line[i];
    }
  }

  private double sum(int[] bits) {
    double sum = 0;
    if (forest.floatSums) {
      for (int tree = 0; tree < leafStarts.length; tree++) {
        sum = (float) (sum + leaf(tree, bits[tree]));
      }
    } else {
      for (int tree = 0; tree < leafStarts.length; tree++) {
        sum += leaf(tree, bits[tree]);
      }
    }
    return sum;
  }

  private void add(int[] bits, int row, double[][] scores) {
    for (double[] each : scores) {
      each[row] = 0;
    }
    for (int tree = 0; tree < leafStarts.length; tree++) {
      double[] sums = scores[forest.treeTargets[tree]];
      double sum = sums[row] + leaf(tree, bits[tree]);
      sums[row] = forest.floatSums ? (float) sum : sum;
    }
  }

  private double leaf(int tree, int bits) {
    return leaves[leafStarts[tree] + Integer.numberOfTrailingZeros(bits)];
  }
}
