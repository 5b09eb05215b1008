package dev.twinrank.core.internal.trees;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;

/** Random forests, and rows on both sides of everything that they ask. */
final class Forests {
  private static final double[] ODD = {
    Double.NaN,
    0.0,
    -0.0,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.MIN_VALUE,
    -Double.MIN_VALUE,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    1e-35,
    1.7e9,
    1.7e12,
    -0.5,
    3.7,
    1e10,
  };

  private final SplittableRandom random;
  private final int columns;
  private final int categories;
  private final boolean floats;
  private final List<Integer> roots = new ArrayList<>();
  private final List<Integer> splitColumns = new ArrayList<>();
  private final List<Integer> modes = new ArrayList<>();
  private final List<Double> thresholds = new ArrayList<>();
  private final List<Integer> trues = new ArrayList<>();
  private final List<Integer> falses = new ArrayList<>();
  private final List<Boolean> missing = new ArrayList<>();
  private final List<List<Double>> sets = new ArrayList<>();
  private final List<Double> leaves = new ArrayList<>();

  private Forests(SplittableRandom random, int columns, int categories, boolean floats) {
    this.random = random;
    this.columns = columns;
    this.categories = categories;
    this.floats = floats;
  }

  /**
   * Draws a forest.
   *
   * @param most leaves of a tree; each has 1 to so many
   * @param categories how many of the columns are asked for sets
   */
  static Forest draw(
      long seed, int trees, int most, int columns, int categories, int targets, boolean floats) {
    SplittableRandom random = new SplittableRandom(seed);
    Forests made = new Forests(random, columns, categories, floats);
    for (int i = 0; i < trees; i++) {
      made.roots.add(made.grow(1 + (i % 3 == 0 ? most - 1 : random.nextInt(most))));
    }
    int splits = made.splitColumns.size();
    int[] starts = new int[splits + 1];
    List<Double> members = new ArrayList<>();
    for (int i = 0; i < splits; i++) {
      members.addAll(made.sets.get(i));
      starts[i + 1] = members.size();
    }
    byte[] modes = new byte[splits];
    boolean[] missing = new boolean[splits];
    for (int i = 0; i < splits; i++) {
      modes[i] = made.modes.get(i).byteValue();
      missing[i] = made.missing.get(i);
    }
    int[] treeTargets = new int[trees];
    for (int i = 0; i < trees; i++) {
      treeTargets[i] = i % targets;
    }
    return new Forest(
        floats,
        columns,
        targets,
        ints(made.roots),
        treeTargets,
        ints(made.splitColumns),
        modes,
        doubles(made.thresholds),
        ints(made.trues),
        ints(made.falses),
        missing,
        starts,
        doubles(members),
        doubles(made.leaves));
  }

  /** Draws rows: thresholds, their neighbours, categories, and what is odd. */
  static double[][] rows(Forest forest, int rows, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[][] drawn = new double[forest.columns][rows];
    List<List<Double>> near = new ArrayList<>();
    for (int i = 0; i < forest.columns; i++) {
      near.add(new ArrayList<>());
    }
    for (int i = 0; i < forest.splitColumns.length; i++) {
      List<Double> own = near.get(forest.splitColumns[i]);
      if (forest.modes[i] == Forest.MEMBER) {
        for (int j = forest.memberStarts[i]; j < forest.memberStarts[i + 1]; j++) {
          own.add(forest.members[j]);
        }
      } else {
        own.add(forest.thresholds[i]);
        own.add(Math.nextUp(forest.thresholds[i]));
        own.add(Math.nextDown(forest.thresholds[i]));
      }
    }
    for (int column = 0; column < forest.columns; column++) {
      List<Double> own = near.get(column);
      for (int row = 0; row < rows; row++) {
        drawn[column][row] =
            own.isEmpty() || random.nextInt(4) == 0
                ? ODD[random.nextInt(ODD.length)]
                : own.get(random.nextInt(own.size()));
      }
    }
    return drawn;
  }

  private int grow(int size) {
    if (size == 1) {
      double leaf = random.nextDouble(-1, 1);
      leaves.add(floats ? (float) leaf : leaf);
      return ~(leaves.size() - 1);
    }
    int own = splitColumns.size();
    int column = random.nextInt(columns);
    boolean set = column < categories;
    splitColumns.add(column);
    modes.add(set ? Forest.MEMBER : random.nextInt(4));
    thresholds.add(set ? 0.0 : threshold());
    missing.add(random.nextBoolean());
    TreeSet<Double> members = new TreeSet<>();
    for (int i = random.nextInt(6); set && i >= 0; i--) {
      members.add((double) random.nextInt(90));
    }
    sets.add(new ArrayList<>(members));
    trues.add(0);
    falses.add(0);
    int left = 1 + random.nextInt(size - 1);
    trues.set(own, grow(left));
    falses.set(own, grow(size - left));
    return own;
  }

  private double threshold() {
    int kind = random.nextInt(20);
    double value = kind < 5 ? ODD[1 + random.nextInt(ODD.length - 1)] : random.nextInt(40) / 8.0;
    return floats ? (float) value : value;
  }

  private static int[] ints(List<Integer> values) {
    return values.stream().mapToInt(Integer::intValue).toArray();
  }

  private static double[] doubles(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).toArray();
  }
}
