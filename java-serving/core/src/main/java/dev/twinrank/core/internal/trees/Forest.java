package dev.twinrank.core.internal.trees;

import java.util.Arrays;

/**
 * Decision trees whose leaves are added up, as flat arrays. Immutable and thread-safe.
 *
 * <p>Roots and children are splits where they are 0 or more, else leaf {@code ~child}. A split by
 * number compares a column's value with its threshold ({@link #LEQ}, {@link #LT}, {@link #GTE},
 * {@link #GT}); one by category asks whether the value is in a set ({@link #MEMBER}). NaN is
 * missing, and a split says where it goes. Every split, number and category is a float64; those of
 * a float32 model are widened, which keeps their order. A score takes its trees' leaves in the
 * order of the trees, from 0, each sum rounded to float64, or to float32 where {@link #floatSums}
 * says so.
 */
public final class Forest {
  /** True where the value is at most the threshold. */
  public static final int LEQ = 0;

  /** True where the value is less than the threshold. */
  public static final int LT = 1;

  /** True where the value is at least the threshold. */
  public static final int GTE = 2;

  /** True where the value is more than the threshold. */
  public static final int GT = 3;

  /** True where the value is in the split's set. */
  public static final int MEMBER = 6;

  final boolean floatSums;
  final int columns;
  final int targets;
  final int[] roots;
  final int[] treeTargets;
  final int[] splitColumns;
  final byte[] modes;
  final double[] thresholds;
  final int[] trues;
  final int[] falses;
  final boolean[] missingTrue;
  final int[] memberStarts;
  final double[] members;
  final double[] leaves;

  /** By tree, how many leaves it has. */
  final int[] treeLeaves;

  /** By tree, how many splits lie on its longest way down. */
  final int[] treeDepths;

  /**
   * Takes the arrays, which must not be changed afterwards.
   *
   * @param floatSums whether each sum is rounded to float32
   * @param columns how many columns a row has
   * @param targets how many scores a row gets
   * @param roots by tree
   * @param treeTargets by tree, the score that it adds to
   * @param splitColumns by split, the column that it looks at
   * @param modes by split, one of the constants of this class
   * @param thresholds by split, not NaN; not looked at where the mode is {@link #MEMBER}
   * @param trues by split, the child where it is true
   * @param falses by split, the other one
   * @param missingTrue by split, whether NaN is true
   * @param memberStarts by split, where its set begins in members; the last entry ends the last set
   * @param members integers in float64, ascending within a set
   * @param leaves what is added
   * @throws IllegalArgumentException if the arrays do not fit each other, or are no trees
   */
  @SuppressWarnings("PMD.ExcessiveParameterList")
  public Forest(
      boolean floatSums,
      int columns,
      int targets,
      int[] roots,
      int[] treeTargets,
      int[] splitColumns,
      byte[] modes,
      double[] thresholds,
      int[] trues,
      int[] falses,
      boolean[] missingTrue,
      int[] memberStarts,
      double[] members,
      double[] leaves) {
    this.floatSums = floatSums;
    this.columns = columns;
    this.targets = targets;
    this.roots = roots;
    this.treeTargets = treeTargets;
    this.splitColumns = splitColumns;
    this.modes = modes;
    this.thresholds = thresholds;
    this.trues = trues;
    this.falses = falses;
    this.missingTrue = missingTrue;
    this.memberStarts = memberStarts;
    this.members = members;
    this.leaves = leaves;
    checkArrays();
    treeLeaves = new int[roots.length];
    treeDepths = new int[roots.length];
    boolean[] seen = new boolean[splitColumns.length];
    boolean[] seenLeaves = new boolean[leaves.length];
    for (int tree = 0; tree < roots.length; tree++) {
      walk(tree, seen, seenLeaves);
    }
  }

  /** Returns whether each sum is rounded to float32. */
  public boolean floatSums() {
    return floatSums;
  }

  /** Returns how many columns a row has. */
  public int columns() {
    return columns;
  }

  /** Returns how many scores a row gets. */
  public int targets() {
    return targets;
  }

  /** Returns how many trees there are. */
  public int trees() {
    return roots.length;
  }

  /** Returns how many splits there are. */
  public int splits() {
    return splitColumns.length;
  }

  /** Returns how many leaves the largest tree has. */
  public int mostLeaves() {
    return Arrays.stream(treeLeaves).max().orElse(0);
  }

  /** Returns the score that a tree adds to. */
  public int target(int tree) {
    return treeTargets[tree];
  }

  /** Returns how many leaves a tree has. */
  public int leaves(int tree) {
    return treeLeaves[tree];
  }

  private void checkArrays() {
    int splits = splitColumns.length;
    require(columns >= 0 && targets >= 1, columns + " columns and " + targets + " targets");
    require(treeTargets.length == roots.length, "a target for each tree");
    require(
        modes.length == splits
            && thresholds.length == splits
            && trues.length == splits
            && falses.length == splits
            && missingTrue.length == splits
            && memberStarts.length == splits + 1,
        "arrays of " + splits + " splits");
    for (int target : treeTargets) {
      require(target >= 0 && target < targets, "target " + target);
    }
    require(memberStarts[0] == 0 && memberStarts[splits] == members.length, "the bounds of sets");
    for (int i = 0; i < splits; i++) {
      require(splitColumns[i] >= 0 && splitColumns[i] < columns, "column " + splitColumns[i]);
      require((modes[i] >= LEQ && modes[i] <= GT) || modes[i] == MEMBER, "mode " + modes[i]);
      require(modes[i] == MEMBER || !Double.isNaN(thresholds[i]), "a threshold that is NaN");
      require(memberStarts[i] <= memberStarts[i + 1], "the bounds of a set");
      require(modes[i] == MEMBER || memberStarts[i] == memberStarts[i + 1], "a set for a number");
      for (int j = memberStarts[i]; j < memberStarts[i + 1]; j++) {
        require(
            members[j] == Math.rint(members[j])
                && Math.abs(members[j]) < 0x1p53
                && (j == memberStarts[i] || members[j - 1] < members[j]),
            "a set that does not ascend in integers");
      }
    }
  }

  /** Goes through a tree without recursion: a deep one must not end the stack. */
  private void walk(int tree, boolean[] seen, boolean[] seenLeaves) {
    int[] stack = new int[16];
    int[] depths = new int[16];
    int size = 1;
    stack[0] = roots[tree];
    while (size > 0) {
      size--;
      int node = stack[size];
      int depth = depths[size];
      treeDepths[tree] = Math.max(treeDepths[tree], depth);
      if (node < 0) {
        require(~node < leaves.length && !seenLeaves[~node], "leaf " + ~node + " in two places");
        seenLeaves[~node] = true;
        treeLeaves[tree]++;
        continue;
      }
      require(node < seen.length && !seen[node], "split " + node + " in two places");
      seen[node] = true;
      if (size + 2 > stack.length) {
        stack = Arrays.copyOf(stack, 2 * stack.length);
        depths = Arrays.copyOf(depths, stack.length);
      }
      stack[size] = falses[node];
      depths[size++] = depth + 1;
      stack[size] = trues[node];
      depths[size++] = depth + 1;
    }
  }

  private static void require(boolean condition, String what) {
    if (!condition) {
      throw new IllegalArgumentException("these are no trees: " + what);
    }
  }
}
