package dev.twinrank.core.internal.trees;

import java.util.Arrays;
import java.util.Optional;

/**
 * Walks down eight trees at a time, one word a node: while one waits for its node, the others go
 * on. A leaf is a node that leads to itself, so all eight go down as far as the deepest of them
 * (Asadi, Lin and de Vries, "Runtime optimizations for tree-based machine learning models", TKDE
 * 2014, "VPred"; here over ranks, {@link Ranks}).
 *
 * <p>A word: where the pair of children begins (32 bits), the cut or the number of the set (16),
 * the rank column (15), and as its sign whether it is a set. The true child is the first.
 */
final class PackedKernel implements TreeKernel {
  private static final int AT_ONCE = 8;
  private static final int BLOCK = 64;
  private static final int MOST_COLUMNS = 1 << 15;
  // No rank is as high, so a leaf is true for every row.
  private static final int ALWAYS = (1 << 16) - 1;

  private final Forest forest;
  private final Ranks ranks;
  private final long[] nodes;
  private final double[] values;
  private final int[] roots;
  private final int[][] sets;

  private PackedKernel(Forest forest, Ranks ranks, int setCount) {
    this.forest = forest;
    this.ranks = ranks;
    int trees = forest.roots.length;
    int most = trees + 2 * forest.splitColumns.length;
    nodes = new long[most];
    values = new double[most];
    roots = new int[trees];
    sets = new int[setCount][];
    int[] pending = new int[most];
    int next = 0;
    int nextSet = 0;
    for (int tree = 0; tree < trees; tree++) {
      roots[tree] = next;
      pending[next] = forest.roots[tree];
      int end = next + 1;
      // Breadth first: the top of a tree, which every row visits, lies together.
      for (int at = next; at < end; at++) {
        int node = pending[at];
        if (node < 0) {
          nodes[at] = word(at, ALWAYS, 0, false);
          values[at] = forest.leaves[~node];
        } else {
          boolean set = ranks.sets[node] != null;
          if (set) {
            sets[nextSet] = ranks.sets[node];
          }
          nodes[at] = word(end, set ? nextSet++ : ranks.splitCuts[node], ranks.columns[node], set);
          pending[end++] = ranks.trues[node];
          pending[end++] = ranks.falses[node];
        }
      }
      next = end;
    }
  }

  private static long word(int children, int cut, int column, boolean set) {
    return (set ? Long.MIN_VALUE : 0L)
        | (long) column << 48
        | (long) cut << 32
        | Integer.toUnsignedLong(children);
  }

  /** Returns the kernel, unless the forest has more columns, ranks or sets than a word can say. */
  static Optional<TreeKernel> of(Forest forest, Ranks ranks) {
    int setCount = 0;
    for (int[] set : ranks.sets) {
      setCount += set == null ? 0 : 1;
    }
    return ranks.count() >= MOST_COLUMNS || ranks.largest() >= ALWAYS || setCount > ALWAYS
        ? Optional.empty()
        : Optional.of(new PackedKernel(forest, ranks, setCount));
  }

  private static final class Room implements Scratch {
    private final int[][] ranks;

    Room(int columns) {
      ranks = new int[BLOCK][Math.max(1, columns)];
    }
  }

  @Override
  public String name() {
    return "packed";
  }

  @Override
  public Scratch scratch() {
    return new Room(ranks.count());
  }

  @Override
  public void score(double[][] columns, int rows, double[][] scores, Scratch scratch) {
    int[][] ranked = ((Room) scratch).ranks;
    for (double[] each : scores) {
      Arrays.fill(each, 0, rows, 0.0);
    }
    for (int from = 0; from < rows; from += BLOCK) {
      int size = Math.min(BLOCK, rows - from);
      for (int i = 0; i < size; i++) {
        ranks.rankRow(columns, from + i, ranked[i]);
      }
      for (int tree = 0; tree < roots.length; tree += AT_ONCE) {
        if (tree + AT_ONCE <= roots.length) {
          eight(tree, ranked, scores, from, size);
        } else {
          rest(tree, ranked, scores, from, size);
        }
      }
    }
  }

  private void eight(int tree, int[][] ranked, double[][] scores, int from, int size) {
    int depth = 0;
    for (int i = tree; i < tree + AT_ONCE; i++) {
      depth = Math.max(depth, forest.treeDepths[i]);
    }
    for (int row = 0; row < size; row++) {
      int[] own = ranked[row];
      int a = roots[tree];
      int b = roots[tree + 1];
      int c = roots[tree + 2];
      int d = roots[tree + 3];
      int e = roots[tree + 4];
      int f = roots[tree + 5];
      int g = roots[tree + 6];
      int h = roots[tree + 7];
      for (int step = 0; step < depth; step++) {
        a = child(nodes[a], own);
        b = child(nodes[b], own);
        c = child(nodes[c], own);
        d = child(nodes[d], own);
        e = child(nodes[e], own);
        f = child(nodes[f], own);
        g = child(nodes[g], own);
        h = child(nodes[h], own);
      }
      add(scores, tree, from + row, values[a]);
      add(scores, tree + 1, from + row, values[b]);
      add(scores, tree + 2, from + row, values[c]);
      add(scores, tree + 3, from + row, values[d]);
      add(scores, tree + 4, from + row, values[e]);
      add(scores, tree + 5, from + row, values[f]);
      add(scores, tree + 6, from + row, values[g]);
      add(scores, tree + 7, from + row, values[h]);
    }
  }

  private void rest(int from, int[][] ranked, double[][] scores, int first, int size) {
    for (int tree = from; tree < roots.length; tree++) {
      int depth = forest.treeDepths[tree];
      for (int row = 0; row < size; row++) {
        int at = roots[tree];
        for (int step = 0; step < depth; step++) {
          at = child(nodes[at], ranked[row]);
        }
        add(scores, tree, first + row, values[at]);
      }
    }
  }

  private int child(long node, int[] own) {
    int field = (int) (node >>> 32) & 0xFFFF;
    int rank = own[(int) (node >>> 48) & 0x7FFF];
    if (node < 0) {
      return (int) node + 1 - (sets[field][rank >>> 5] >>> rank & 1);
    }
    // 1 where the rank is not below the cut.
    return (int) node + ((field - rank - 1) >>> 31);
  }

  private void add(double[][] scores, int tree, int row, double leaf) {
    double[] sums = scores[forest.treeTargets[tree]];
    double sum = sums[row] + leaf;
    sums[row] = forest.floatSums ? (float) sum : sum;
  }
}
