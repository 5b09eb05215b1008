package dev.twinrank.core.internal.trees;

import java.util.Arrays;

/** Walks down each tree as it is written: what all other kernels must equal. */
final class FlatKernel implements TreeKernel {
  private static final Scratch NOTHING = new Scratch() {};

  private final Forest forest;

  FlatKernel(Forest forest) {
    this.forest = forest;
  }

  @Override
  public String name() {
    return "flat";
  }

  @Override
  public Scratch scratch() {
    return NOTHING;
  }

  @Override
  public void score(double[][] columns, int rows, double[][] scores, Scratch scratch) {
    for (double[] each : scores) {
      Arrays.fill(each, 0, rows, 0.0);
    }
    for (int tree = 0; tree < forest.roots.length; tree++) {
      double[] sums = scores[forest.treeTargets[tree]];
      for (int row = 0; row < rows; row++) {
        int node = forest.roots[tree];
        while (node >= 0) {
          double value = columns[forest.splitColumns[node]][row];
          node = isTrue(node, value) ? forest.trues[node] : forest.falses[node];
        }
        double sum = sums[row] + forest.leaves[~node];
        sums[row] = forest.floatSums ? (float) sum : sum;
      }
    }
  }

  private boolean isTrue(int split, double value) {
    if (Double.isNaN(value)) {
      return forest.missingTrue[split];
    }
    double threshold = forest.thresholds[split];
    return switch (forest.modes[split]) {
      case Forest.LEQ -> value <= threshold;
      case Forest.LT -> value < threshold;
      case Forest.GTE -> value >= threshold;
      case Forest.GT -> value > threshold;
      default ->
          Arrays.binarySearch(
                  forest.members,
                  forest.memberStarts[split],
                  forest.memberStarts[split + 1],
                  value + 0.0)
              >= 0;
    };
  }
}
