package dev.twinrank.core.internal.trees;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Draws the attributes of a TreeEnsemble. Deterministic for a seed. */
final class RandomTrees {
  private static final int MEMBER = 6;

  /** Values that thresholds, members and rows are drawn from, so that they meet. */
  final double[] pool;

  private final Random random;
  private final Type type;
  private final int columns;
  private final List<Integer> whole;
  private final int targets;
  private final boolean mixed;

  private final List<Long> features = new ArrayList<>();
  private final List<Long> modes = new ArrayList<>();
  private final List<Double> splits = new ArrayList<>();
  private final List<Long> trues = new ArrayList<>();
  private final List<Long> falses = new ArrayList<>();
  private final List<Long> trueLeaves = new ArrayList<>();
  private final List<Long> falseLeaves = new ArrayList<>();
  private final List<Long> missing = new ArrayList<>();
  private final List<Double> members = new ArrayList<>();
  private final List<Long> leafTargets = new ArrayList<>();
  private final List<Double> weights = new ArrayList<>();
  private final List<Long> roots = new ArrayList<>();
  private final Map<Integer, List<Double>> sets = new HashMap<>();
  private int target;

  /**
   * Draws trees.
   *
   * @param whole the columns that hold integers, which sets may ask for
   * @param mixed whether leaves of one tree may add to several targets
   */
  RandomTrees(
      Random random, Type type, int columns, List<Integer> whole, int targets, boolean mixed) {
    this.whole = whole;
    this.random = random;
    this.type = type;
    this.columns = columns;
    this.targets = targets;
    this.mixed = mixed;
    this.pool = new double[24];
    for (int i = 0; i < pool.length; i++) {
      double value =
          switch (i % 4) {
            case 0 -> random.nextInt(7);
            case 1 -> random.nextGaussian() * 3;
            case 2 -> 1.7e9 + random.nextInt(1_000_000) / 1000.0;
            default -> Math.scalb(random.nextDouble(), random.nextInt(600) - 300);
          };
      pool[i] = type == Type.F32 ? (float) value : value;
    }
    pool[3] = 0.0;
    pool[7] = -0.0;
    pool[11] = Double.POSITIVE_INFINITY;
    pool[15] = type == Type.F32 ? Float.MIN_VALUE : Double.MIN_VALUE;
    pool[19] = (double) 1e-35f;
    int trees = 1 + random.nextInt(12);
    for (int i = 0; i < trees; i++) {
      target = random.nextInt(targets);
      roots.add((long) split(random.nextInt(7)));
    }
    for (int i = 0; i < modes.size(); i++) {
      if (modes.get(i) == MEMBER) {
        members.addAll(sets.get(i));
        members.add(Double.NaN);
      }
    }
  }

  private int split(int depth) {
    int index = features.size();
    long mode = List.of(0L, 0L, 1L, 2L, 3L, 6L).get(random.nextInt(whole.isEmpty() ? 5 : 6));
    features.add((long) (mode == MEMBER ? one(whole) : random.nextInt(columns)));
    modes.add(mode);
    splits.add(mode == MEMBER ? 0.0 : pool[random.nextInt(pool.length)]);
    missing.add((long) random.nextInt(2));
    if (mode == MEMBER) {
      // Some small, and some beyond what a mask of bits holds.
      int bound = random.nextBoolean() ? 7 : 300;
      double[] set = random.ints(1 + random.nextInt(9), 0, bound).asDoubleStream().toArray();
      sets.put(index, new ArrayList<>(Arrays.stream(set).sorted().distinct().boxed().toList()));
    }
    for (List<Long> each : List.of(trues, falses, trueLeaves, falseLeaves)) {
      each.add(0L);
    }
    boolean alike = depth == 0 && random.nextInt(3) == 0;
    double weight = random.nextGaussian();
    child(index, depth, trues, trueLeaves, weight);
    child(index, depth, falses, falseLeaves, alike ? weight : random.nextGaussian());
    return index;
  }

  private int one(List<Integer> some) {
    return some.get(random.nextInt(some.size()));
  }

  private void child(int index, int depth, List<Long> children, List<Long> leafs, double weight) {
    if (depth > 0 && random.nextInt(5) != 0) {
      children.set(index, (long) split(depth - 1));
      return;
    }
    leafs.set(index, 1L);
    children.set(index, (long) weights.size());
    weights.add(type == Type.F32 ? (float) weight : weight);
    leafTargets.add((long) (mixed ? random.nextInt(targets) : target));
  }

  /** Returns the operator's attributes, which may be changed. */
  Map<String, Object> attributes() {
    Map<String, Object> all = new HashMap<>();
    all.put("n_targets", targets);
    all.put("aggregate_function", 1);
    all.put("post_transform", 0);
    all.put("tree_roots", longs(roots));
    all.put("nodes_featureids", longs(features));
    all.put("nodes_modes", tensor(null, modes.stream().map(Long::doubleValue).toList()));
    all.put("nodes_splits", tensor(type, splits));
    all.put("nodes_truenodeids", longs(trues));
    all.put("nodes_falsenodeids", longs(falses));
    all.put("nodes_trueleafs", longs(trueLeaves));
    all.put("nodes_falseleafs", longs(falseLeaves));
    all.put("nodes_missing_value_tracks_true", longs(missing));
    all.put("leaf_targetids", longs(leafTargets));
    all.put("leaf_weights", tensor(type, weights));
    if (!members.isEmpty()) {
      all.put("membership_values", tensor(type, members));
    }
    return all;
  }

  static ModelWriter.Message tensor(Type type, List<Double> values) {
    double[] all = values.stream().mapToDouble(Double::doubleValue).toArray();
    return ModelWriter.tensor("", type, all, all.length);
  }

  private static long[] longs(List<Long> values) {
    return values.stream().mapToLong(Long::longValue).toArray();
  }

  /** Returns a value that may stand in a row: of the pool, beside it, or of the odd ones. */
  double value(Random rows) {
    double one = pool[rows.nextInt(pool.length)];
    return switch (rows.nextInt(10)) {
      case 0 -> Double.NaN;
      case 1 -> type == Type.F32 ? Math.nextUp((float) one) : Math.nextUp(one);
      case 2 -> type == Type.F32 ? Math.nextDown((float) one) : Math.nextDown(one);
      case 3 -> rows.nextInt(310);
      case 4 -> ODD[rows.nextInt(ODD.length)];
      case 5 -> -one;
      default -> one;
    };
  }

  private static final double[] ODD = {
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    Double.MIN_VALUE,
    -0.0,
    0.0,
    -0.5,
    -1,
    2.5,
    63,
    64,
    65,
    0x1p31,
    0x1p53,
    -0x1p63,
    1e10,
    -1e-35f,
    Math.nextUp((double) 1e-35f)
  };
}
