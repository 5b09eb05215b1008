package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.trees.Graph.Node;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the operator TreeEnsemble of ai.onnx.ml 5. Whatever the operator's specification allows and
 * a {@link Forest} cannot hold is refused with a reason. Not thread-safe; used once.
 */
final class EnsembleReader {
  /** How many splits a forest may have, as the exporter has it. */
  static final int MOST_SPLITS = 1_000_000;

  private static final int MOST_TARGETS = 1 << 16;
  private static final int SUM = 1;
  private static final int NO_TRANSFORM = 0;
  private static final Set<Long> MODES =
      Set.of(
          (long) Forest.LEQ,
          (long) Forest.LT,
          (long) Forest.GTE,
          (long) Forest.GT,
          (long) Forest.MEMBER);

  private static final Set<String> ATTRIBUTES =
      Set.of(
          "aggregate_function",
          "leaf_targetids",
          "leaf_weights",
          "membership_values",
          "n_targets",
          "nodes_falseleafs",
          "nodes_falsenodeids",
          "nodes_featureids",
          "nodes_hitrates",
          "nodes_missing_value_tracks_true",
          "nodes_modes",
          "nodes_splits",
          "nodes_trueleafs",
          "nodes_truenodeids",
          "post_transform",
          "tree_roots");

  /**
   * An operator's trees.
   *
   * @param forest over the columns that its splits look at
   * @param columns which of the operator's input these are, ascending
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared, never changed
  record Trees(Forest forest, int[] columns) {}

  private final Node node;
  private final Grid x;
  private final long[] features;
  private final long[] modes;
  private final double[] splits;
  private final long[] trues;
  private final long[] falses;
  private final long[] trueLeaves;
  private final long[] falseLeaves;
  private final long[] missing;
  private final long[] leafTargets;
  private final double[] weights;
  private final int targets;
  private final Sets sets;
  private final boolean[] seen;
  private final int[] place;

  // What is made of it, in the order in which it is met.
  private final Longs madeRoots = new Longs();
  private final Longs madeTargets = new Longs();
  private final Longs madeLeaves = new Longs();
  private final Longs order = new Longs();
  private final Longs madeTrues = new Longs();
  private final Longs madeFalses = new Longs();
  private int made;
  private int leafCount;

  private EnsembleReader(Node node, Grid x) throws UnknownGraph {
    this.node = node;
    this.x = x;
    Type type = x.type();
    node.allow(ATTRIBUTES);
    require(node.integer("aggregate_function", SUM) == SUM, "does not sum its leaves");
    require(node.integer("post_transform", NO_TRANSFORM) == NO_TRANSFORM, "transforms its sums");
    long count = node.integer("n_targets", 1);
    require(count >= 1 && count <= MOST_TARGETS, "has " + count + " targets");
    targets = (int) count;
    features = integers("nodes_featureids", -1);
    int size = features.length;
    require(size <= MOST_SPLITS, "has " + size + " splits; at most " + MOST_SPLITS + " are taken");
    modes = tensor("nodes_modes", size).bits();
    splits = floats("nodes_splits", type, size);
    trues = integers("nodes_truenodeids", size);
    falses = integers("nodes_falsenodeids", size);
    trueLeaves = integers("nodes_trueleafs", size);
    falseLeaves = integers("nodes_falseleafs", size);
    missing =
        node.attributes().containsKey("nodes_missing_value_tracks_true")
            ? integers("nodes_missing_value_tracks_true", size)
            : new long[size];
    leafTargets = integers("leaf_targetids", -1);
    weights = floats("leaf_weights", type, leafTargets.length);
    sets = new Sets(node, modes, type);
    seen = new boolean[size];
    place = new int[size];
  }

  /**
   * Reads an operator.
   *
   * @param x its input, of whose type its thresholds and leaves must be
   * @throws UnknownGraph if a forest cannot hold it
   */
  static Trees read(Node node, Grid x) throws UnknownGraph {
    return new EnsembleReader(node, x).trees();
  }

  private Trees trees() throws UnknownGraph {
    for (long root : integers("tree_roots", -1)) {
      require(root >= 0 && root < features.length, "has the root " + root);
      tree((int) root);
    }
    long[] from = order.toArray();
    int size = from.length;
    int[] used =
        Arrays.stream(from).mapToInt(i -> (int) features[(int) i]).distinct().sorted().toArray();
    int[] columns = new int[size];
    byte[] kinds = new byte[size];
    double[] thresholds = new double[size];
    boolean[] missingTrue = new boolean[size];
    int[] starts = new int[size + 1];
    Longs members = new Longs();
    for (int i = 0; i < size; i++) {
      int split = (int) from[i];
      columns[i] = Arrays.binarySearch(used, (int) features[split]);
      kinds[i] = (byte) modes[split];
      missingTrue[i] = missing[split] == 1;
      starts[i + 1] = starts[i];
      if (modes[split] == Forest.MEMBER) {
        long[] set = sets.of(split);
        starts[i + 1] += set.length;
        for (long member : set) {
          members.add(member);
        }
      } else {
        thresholds[i] = splits[split];
      }
    }
    Forest forest =
        new Forest(
            x.type() == Type.F32,
            used.length,
            targets,
            ints(madeRoots),
            ints(madeTargets),
            columns,
            kinds,
            thresholds,
            ints(madeTrues),
            ints(madeFalses),
            missingTrue,
            starts,
            Arrays.stream(members.toArray()).asDoubleStream().toArray(),
            Arrays.stream(madeLeaves.toArray()).mapToDouble(Double::longBitsToDouble).toArray());
    return new Trees(forest, used);
  }

  /** Adds a tree: once for each target that a leaf of it adds to. */
  private void tree(int root) throws UnknownGraph {
    Longs found = new Longs();
    collect(root, found);
    long[] all = found.toArray();
    int first = -1;
    boolean single = true;
    boolean[] wanted = new boolean[targets];
    for (long split : all) {
      for (boolean side : new boolean[] {true, false}) {
        if (isLeaf((int) split, side)) {
          int target = (int) leafTargets[child((int) split, side)];
          single &= first < 0 || first == target;
          first = target;
          wanted[target] = true;
        }
      }
    }
    if (single) {
      add(all, first, true);
      return;
    }
    // A sum never is -0, so that the +0 which another target's leaf adds changes no bit of it.
    for (int target = 0; target < targets; target++) {
      if (wanted[target]) {
        add(all, target, false);
      }
    }
  }

  private boolean isLeaf(int split, boolean side) {
    return (side ? trueLeaves : falseLeaves)[split] == 1;
  }

  private int child(int split, boolean side) {
    return (int) (side ? trues : falses)[split];
  }

  /** Finds a tree's splits, parents first, and checks each. */
  private void collect(int root, Longs found) throws UnknownGraph {
    int[] stack = new int[16];
    int depth = 0;
    stack[depth++] = root;
    while (depth > 0) {
      int split = stack[--depth];
      require(!seen[split], "has split " + split + " under two parents");
      seen[split] = true;
      check(split);
      found.add(split);
      for (boolean side : new boolean[] {false, true}) {
        if (!isLeaf(split, side)) {
          if (depth == stack.length) {
            stack = Arrays.copyOf(stack, 2 * depth);
          }
          stack[depth++] = child(split, side);
        }
      }
    }
  }

  private void check(int split) throws UnknownGraph {
    require(
        features[split] >= 0 && features[split] < x.width(),
        "looks at column " + features[split] + " of " + x);
    require(MODES.contains(modes[split]), "has a split of mode " + modes[split]);
    require(modes[split] == Forest.MEMBER || !Double.isNaN(splits[split]), "has a threshold NaN");
    require(
        modes[split] != Forest.MEMBER || x.column((int) features[split]).isWhole(),
        "asks for membership of what may be no integer, which the runtime does not do right");
    require(missing[split] == 0 || missing[split] == 1, "has a flag that is neither 0 nor 1");
    check(split, trues, trueLeaves);
    check(split, falses, falseLeaves);
  }

  private void check(int split, long[] children, long[] leafs) throws UnknownGraph {
    require(leafs[split] == 0 || leafs[split] == 1, "has a flag that is neither 0 nor 1");
    long child = children[split];
    int bound = leafs[split] == 1 ? weights.length : features.length;
    require(child >= 0 && child < bound, "has the child " + child + " of split " + split);
    if (leafs[split] == 1) {
      long target = leafTargets[(int) child];
      require(target >= 0 && target < targets, "has a leaf of target " + target);
      require(!Double.isNaN(weights[(int) child]), "has a leaf NaN");
    }
  }

  /** Adds a tree for one target. */
  private void add(long[] all, int target, boolean alone) throws UnknownGraph {
    madeTargets.add(target);
    // A tree of one leaf is written as a split whose leaves are alike.
    int only = (int) all[0];
    if (all.length == 1 && isLeaf(only, true) && isLeaf(only, false) && alike(only)) {
      madeRoots.add(leaf((int) trues[only], target, alone));
      return;
    }
    require(
        (long) made + all.length <= MOST_SPLITS,
        "has more than "
            + MOST_SPLITS
            + " splits, those of trees with several targets counted for"
            + " each");
    for (int i = 0; i < all.length; i++) {
      place[(int) all[i]] = made + i;
    }
    madeRoots.add(made);
    for (long split : all) {
      order.add(split);
      madeTrues.add(moved((int) split, true, target, alone));
      madeFalses.add(moved((int) split, false, target, alone));
    }
    made += all.length;
  }

  private boolean alike(int split) {
    int one = (int) trues[split];
    int other = (int) falses[split];
    return leafTargets[one] == leafTargets[other]
        && Double.doubleToRawLongBits(weights[one]) == Double.doubleToRawLongBits(weights[other]);
  }

  private long moved(int split, boolean side, int target, boolean alone) {
    int child = child(split, side);
    return isLeaf(split, side) ? leaf(child, target, alone) : place[child];
  }

  private long leaf(int leaf, int target, boolean alone) {
    double value = alone || leafTargets[leaf] == target ? weights[leaf] : 0.0;
    madeLeaves.add(Double.doubleToRawLongBits(value));
    return ~(long) leafCount++;
  }

  private static int[] ints(Longs longs) {
    return Arrays.stream(longs.toArray()).mapToInt(Math::toIntExact).toArray();
  }

  private long[] integers(String name, int size) throws UnknownGraph {
    long[] found = node.integers(name);
    require(found != null, "has no " + name);
    require(size < 0 || found.length == size, "has " + found.length + " values in " + name);
    return found;
  }

  private Values tensor(String name, int size) throws UnknownGraph {
    Values found = node.tensor(name);
    require(found != null, "has no " + name);
    require(found.size() == size, "has " + found.size() + " values in " + name);
    return found;
  }

  private double[] floats(String name, Type type, int size) throws UnknownGraph {
    Values found = tensor(name, size);
    require(found.type().equals(Optional.of(type)), "has another type in " + name);
    return found.doubles();
  }

  private void require(boolean right, String otherwise) throws UnknownGraph {
    if (!right) {
      throw UnknownGraph.at(node, otherwise);
    }
  }
}
