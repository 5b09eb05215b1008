package dev.twinrank.core.internal.trees;

import java.util.Arrays;
import java.util.Optional;

/**
 * A forest as masks of bits, a bit a leaf. Immutable and thread-safe.
 *
 * <p>The leaves of a tree are numbered as they stand from the true side to the false one. Every
 * split that is false takes the leaves below its true side out, and the lowest bit that is left is
 * the leaf that the row reaches: no leaf before it is left, since where the ways to both part, the
 * split was false; and no split on the way to it took it out (Lucchese et al., "QuickScorer", SIGIR
 * 2015, theorem 1).
 *
 * <p>A tree of more than 32 leaves has several words. A mask that leaves a word as it is need not
 * be looked at, and nearly all splits are near the leaves: they touch one word. So masks are kept
 * word by word, and 255 leaves take some 280 steps and not 254 × 8. Within a word, splits by number
 * come first, then those by category.
 */
public final class Bitvectors {
  /** The most leaves of a tree: beyond it walking down is faster. */
  public static final int MOST_LEAVES = 1024;

  private static final long MOST_ANSWERS = 1 << 24;

  /** Ranks numbers, or leaves it to this package. Thread-safe. */
  public interface Search {
    /** Leaves everything to this package. */
    Search NONE = (cuts, values, from, rows, ranks) -> false;

    /**
     * Finds of each value how many cuts are at most it; of NaN, one more than there are cuts.
     *
     * @param cuts ascending, no two equal; not to be changed
     * @param values of a column
     * @param from the first row
     * @param ranks where the ranks go, from 0
     * @return whether it did
     */
    boolean rank(double[] cuts, double[] values, int from, int rows, int[] ranks);
  }

  private final Ranks ranks;
  private final int[] treeWords;
  private final int[] starts;
  private final int[] setStarts;
  private final int[] columns;
  private final int[] cuts;
  private final int[][] answers;
  private final int[] masks;
  private final int[] leafStarts;
  private final double[] leaves;

  private Bitvectors(Forest forest, Ranks ranks) {
    this.ranks = ranks;
    int trees = forest.roots.length;
    treeWords = new int[trees + 1];
    for (int tree = 0; tree < trees; tree++) {
      treeWords[tree + 1] = treeWords[tree] + (forest.treeLeaves[tree] + 31) / 32;
    }
    starts = new int[treeWords[trees] + 1];
    setStarts = new int[treeWords[trees]];
    leafStarts = new int[trees + 1];
    leaves = new double[forest.leaves.length];
    int[][] given = answers(forest, ranks);
    Entries entries = new Entries();
    for (int tree = 0; tree < trees; tree++) {
      Order order = new Order(forest, ranks, forest.treeLeaves[tree], leaves, leafStarts[tree]);
      order.add(forest.roots[tree]);
      leafStarts[tree + 1] = order.leaf;
      for (int word = treeWords[tree]; word < treeWords[tree + 1]; word++) {
        int first = 32 * (word - treeWords[tree]);
        entries.add(order, ranks, given, first, false);
        setStarts[word] = entries.size;
        entries.add(order, ranks, given, first, true);
        starts[word + 1] = entries.size;
      }
    }
    columns = Arrays.copyOf(entries.columns, entries.size);
    cuts = Arrays.copyOf(entries.cuts, entries.size);
    answers = Arrays.copyOf(entries.answers, entries.size);
    masks = Arrays.copyOf(entries.masks, entries.size);
  }

  /** Returns the masks, unless a tree has too many leaves or its sets too many categories. */
  public static Optional<Bitvectors> of(Forest forest) {
    return of(forest, new Ranks(forest));
  }

  static Optional<Bitvectors> of(Forest forest, Ranks ranks) {
    long answers = 0;
    for (int split = 0; split < ranks.sets.length; split++) {
      answers += ranks.sets[split] == null ? 0 : ranks.size(ranks.columns[split]);
    }
    return forest.mostLeaves() > MOST_LEAVES || answers > MOST_ANSWERS
        ? Optional.empty()
        : Optional.of(new Bitvectors(forest, ranks));
  }

  /** Returns, by split, all bits by rank where its set holds the rank, else none. */
  private static int[][] answers(Forest forest, Ranks ranks) {
    int[][] answers = new int[forest.splitColumns.length][];
    for (int split = 0; split < answers.length; split++) {
      if (ranks.sets[split] != null) {
        answers[split] = new int[ranks.size(ranks.columns[split])];
        for (int rank = 0; rank < answers[split].length; rank++) {
          answers[split][rank] = ranks.isTrue(split, rank) ? -1 : 0;
        }
      }
    }
    return answers;
  }

  /** One tree's splits with the leaves of their true sides; at most {@link #MOST_LEAVES} deep. */
  private static final class Order {
    private final Forest forest;
    private final Ranks ranks;
    private final double[] leaves;
    private final int first;
    private final int[] splits;
    private final int[] from;
    private final int[] to;
    private int leaf;
    private int size;

    Order(Forest forest, Ranks ranks, int count, double[] leaves, int leaf) {
      this.forest = forest;
      this.ranks = ranks;
      this.leaves = leaves;
      this.leaf = leaf;
      this.first = leaf;
      splits = new int[count - 1];
      from = new int[count - 1];
      to = new int[count - 1];
    }

    void add(int node) {
      if (node < 0) {
        leaves[leaf++] = forest.leaves[~node];
        return;
      }
      int own = size++;
      splits[own] = node;
      from[own] = leaf - first;
      add(ranks.trues[node]);
      to[own] = leaf - first;
      add(ranks.falses[node]);
    }
  }

  private static final class Entries {
    private int[] columns = new int[64];
    private int[] cuts = new int[64];
    private int[][] answers = new int[64][];
    private int[] masks = new int[64];
    private int size;

    /** Adds what takes leaves out of the 32 from the first on. */
    void add(Order order, Ranks ranks, int[][] given, int first, boolean sets) {
      for (int i = 0; i < order.size; i++) {
        int from = Math.max(order.from[i], first) - first;
        int to = Math.min(order.to[i], first + 32) - first;
        int split = order.splits[i];
        if (from >= to || (given[split] != null) != sets) {
          continue;
        }
        if (size == columns.length) {
          columns = Arrays.copyOf(columns, 2 * size);
          cuts = Arrays.copyOf(cuts, 2 * size);
          answers = Arrays.copyOf(answers, 2 * size);
          masks = Arrays.copyOf(masks, 2 * size);
        }
        columns[size] = ranks.columns[split];
        cuts[size] = ranks.splitCuts[split];
        answers[size] = given[split];
        masks[size++] = ~(int) (((1L << (to - from)) - 1) << from);
      }
    }
  }

  /** Returns how many rank columns there are. */
  public int rankColumns() {
    return ranks.count();
  }

  /**
   * Ranks some rows; every rank is one that {@link #answer} has.
   *
   * @param values by column of the forest, the rows' values
   * @param from the first row
   * @param rows how many
   * @param into by rank column, where the ranks go, from 0
   * @param search what ranks numbers
   */
  public void rank(double[][] values, int from, int rows, int[][] into, Search search) {
    ranks.rank(values, from, rows, into, search);
  }

  /** Returns the first word of a tree; of the number of trees, the number of words. */
  public int firstWord(int tree) {
    return treeWords[tree];
  }

  /** Returns the first entry of a word; of the number of words, the number of entries. */
  public int firstEntry(int word) {
    return starts[word];
  }

  /** Returns the first entry of a word that asks for a set. */
  public int firstSet(int word) {
    return setStarts[word];
  }

  /** Returns the rank column that an entry looks at. */
  public int column(int entry) {
    return columns[entry];
  }

  /** Returns the rank from which on an entry's mask applies. */
  public int cut(int entry) {
    return cuts[entry];
  }

  /** Returns, by rank, 0 where an entry's mask applies, else -1; not to be changed. */
  public int[] answer(int entry) {
    return answers[entry];
  }

  /** Returns the leaves that an entry's mask leaves. */
  public int mask(int entry) {
    return masks[entry];
  }

  /** Returns where the leaves of a tree begin, in the order of their bits. */
  public int firstLeaf(int tree) {
    return leafStarts[tree];
  }

  /** Returns the leaves of all trees; not to be changed. */
  public double[] leaves() {
    return leaves;
  }
}
