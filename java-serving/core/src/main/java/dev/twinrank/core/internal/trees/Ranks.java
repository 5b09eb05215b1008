package dev.twinrank.core.internal.trees;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * A forest over small integers: each value replaced by its rank among what the forest's splits ask
 * of its column ({@link Cuts}), so that every question becomes {@code rank < cut}. Exact by
 * construction: no value changes sides. Immutable and thread-safe.
 *
 * <p>{@code x <= t} is x &lt; the next float64 after t; {@code >=} and {@code >} are the opposites
 * with their children exchanged. NaN has the last rank, which is below no cut; where splits expect
 * what is missing on the other side, a second rank column gives it the rank 0. (Quantised
 * thresholds: Lucchese et al., "QuickScorer", SIGIR 2015, section 3; Ke et al., "LightGBM", NIPS
 * 2017, histograms.)
 *
 * <p>A split by category asks for a bit of its set, by rank; the set knows where NaN goes.
 */
final class Ranks {
  private record Asked(int column, boolean category) {}

  private record Side(int cuts, boolean missingTrue) {}

  private final Cuts[] cuts;
  private final int[] cutsOf;
  private final boolean[] missingTrue;
  private final int[] highs;
  private final int[] lows;
  private final boolean hasSets;

  /** By split, its rank column. */
  final int[] columns;

  /** By split, true where the rank is below it; 0 for a set. */
  final int[] splitCuts;

  /** By split, its bits by rank; null for a number. */
  final int[][] sets;

  /** By split, where it goes if the question of the ranks is answered with yes. */
  final int[] trues;

  /** By split, where it goes if not. */
  final int[] falses;

  Ranks(Forest forest) {
    int splits = forest.splitColumns.length;
    columns = new int[splits];
    splitCuts = new int[splits];
    sets = new int[splits][];
    trues = new int[splits];
    falses = new int[splits];
    Map<Asked, Integer> places = new HashMap<>();
    List<Asked> found = new ArrayList<>();
    List<TreeSet<Double>> numbers = new ArrayList<>();
    Map<Side, Integer> sides = new HashMap<>();
    List<Side> kept = new ArrayList<>();
    for (int i = 0; i < splits; i++) {
      boolean category = forest.modes[i] == Forest.MEMBER;
      boolean opposite = forest.modes[i] == Forest.GTE || forest.modes[i] == Forest.GT;
      trues[i] = opposite ? forest.falses[i] : forest.trues[i];
      falses[i] = opposite ? forest.trues[i] : forest.falses[i];
      Asked asked = new Asked(forest.splitColumns[i], category);
      Integer place = places.putIfAbsent(asked, found.size());
      if (place == null) {
        place = found.size();
        found.add(asked);
        numbers.add(new TreeSet<>());
      }
      Side side = new Side(place, !category && forest.missingTrue[i] != opposite);
      Integer column = sides.putIfAbsent(side, kept.size());
      if (column == null) {
        column = kept.size();
        kept.add(side);
      }
      columns[i] = column;
      if (category) {
        for (int j = forest.memberStarts[i]; j < forest.memberStarts[i + 1]; j++) {
          numbers.get(place).add(forest.members[j]);
        }
      } else if (!isAlways(forest, i)) {
        numbers.get(place).add(cut(forest, i));
      }
    }
    cuts = new Cuts[found.size()];
    highs = new int[cuts.length];
    lows = new int[cuts.length];
    for (int i = 0; i < cuts.length; i++) {
      double[] ascending = numbers.get(i).stream().mapToDouble(Double::doubleValue).toArray();
      cuts[i] = new Cuts(found.get(i).column(), found.get(i).category(), ascending);
      highs[i] = sides.getOrDefault(new Side(i, false), -1);
      lows[i] = sides.getOrDefault(new Side(i, true), -1);
    }
    cutsOf = kept.stream().mapToInt(Side::cuts).toArray();
    missingTrue = new boolean[kept.size()];
    for (int i = 0; i < missingTrue.length; i++) {
      missingTrue[i] = kept.get(i).missingTrue();
    }
    for (int i = 0; i < splits; i++) {
      double[] own = cuts[cutsOf[columns[i]]].values();
      if (forest.modes[i] == Forest.MEMBER) {
        sets[i] = bits(forest, i, own);
      } else {
        splitCuts[i] =
            isAlways(forest, i) ? own.length + 1 : Arrays.binarySearch(own, cut(forest, i)) + 1;
      }
    }
    hasSets = Arrays.stream(sets).anyMatch(Objects::nonNull);
  }

  private static int[] bits(Forest forest, int split, double[] named) {
    int[] bits = new int[(named.length + 2 + 31) >>> 5];
    for (int j = forest.memberStarts[split]; j < forest.memberStarts[split + 1]; j++) {
      int rank = Arrays.binarySearch(named, forest.members[j]) + 1;
      bits[rank >>> 5] |= 1 << rank;
    }
    if (forest.missingTrue[split]) {
      bits[(named.length + 1) >>> 5] |= 1 << (named.length + 1);
    }
    return bits;
  }

  /** Returns c where the split, or its opposite, is true for x &lt; c. */
  private static double cut(Forest forest, int split) {
    double threshold = forest.thresholds[split];
    int mode = forest.modes[split];
    // Both zeros are one number to every comparison, and two to a sorted set.
    return (mode == Forest.LEQ || mode == Forest.GT ? Math.nextUp(threshold) : threshold) + 0.0;
  }

  /**
   * Returns whether every number satisfies the split, or its opposite: nothing exceeds infinity.
   */
  private static boolean isAlways(Forest forest, int split) {
    int mode = forest.modes[split];
    return (mode == Forest.LEQ || mode == Forest.GT)
        && forest.thresholds[split] == Double.POSITIVE_INFINITY;
  }

  /** Returns whether a split asks for a set. */
  boolean hasSets() {
    return hasSets;
  }

  /** Returns how many rank columns there are. */
  int count() {
    return cutsOf.length;
  }

  /** Returns how many ranks a rank column has: they run from 0. */
  int size(int column) {
    return cuts[cutsOf[column]].size();
  }

  /** Returns the most ranks that a column has; 0 if there is none. */
  int largest() {
    int largest = 0;
    for (Cuts each : cuts) {
      largest = Math.max(largest, each.size());
    }
    return largest;
  }

  /** Returns what the forest's columns are asked, one a column, two if by category too. */
  Cuts[] cuts() {
    return cuts;
  }

  /** Returns which of the {@link #cuts} a split asks for. */
  int cutsOf(int split) {
    return cutsOf[columns[split]];
  }

  /** Returns whether a split is true for a rank among its {@link Cuts}. */
  boolean isTrue(int split, int rank) {
    if (sets[split] != null) {
      return (sets[split][rank >>> 5] >>> rank & 1) != 0;
    }
    int column = columns[split];
    return rank == cuts[cutsOf[column]].missing() ? missingTrue[column] : rank < splitCuts[split];
  }

  /**
   * Ranks some rows.
   *
   * @param values by column of the forest, the rows' values
   * @param from the first row
   * @param ranks by rank column, where the ranks go, from 0
   * @param search what ranks numbers
   */
  void rank(double[][] values, int from, int rows, int[][] ranks, Bitvectors.Search search) {
    for (int i = 0; i < cuts.length; i++) {
      int high = highs[i];
      int low = lows[i];
      cuts[i].rank(values, from, rows, ranks[high < 0 ? low : high], search);
      if (low >= 0) {
        lower(ranks[high < 0 ? low : high], ranks[low], cuts[i].missing(), rows);
      }
    }
  }

  private static void lower(int[] given, int[] ranks, int missing, int rows) {
    for (int i = 0; i < rows; i++) {
      // The sign says whether the rank is below the last.
      ranks[i] = given[i] & ((given[i] - missing) >> 31);
    }
  }

  /** Ranks one row: a rank a rank column. */
  void rankRow(double[][] values, int row, int[] ranks) {
    for (int i = 0; i < cuts.length; i++) {
      int rank = cuts[i].rank(values[cuts[i].source()][row]);
      if (highs[i] >= 0) {
        ranks[highs[i]] = rank;
      }
      if (lows[i] >= 0) {
        ranks[lows[i]] = rank == cuts[i].missing() ? 0 : rank;
      }
    }
  }
}
