package dev.twinrank.core.internal.trees;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.SplittableRandom;

/** The kernels that can score a forest in this process, and which of them is the fastest here. */
public final class TreeKernels {
  /** How many rows a block has when kernels are compared. */
  static final int BLOCK = 256;

  private static final int FEW = 8;
  private static final int PADDED = 64;
  private static final long LAP_NANOS = 200_000;
  private static final int LEAST_LAPS = 20;
  private static final int SETTLED_LAPS = 150;
  private static final long SETTLED_LIMIT_NANOS = 150_000_000;
  private static final long LIMIT_NANOS = 1_000_000_000;
  private static final long COLD_LIMIT_NANOS = 4_000_000_000L;
  private static final double COLD = 3;
  private static final double CLEARLY = 0.75;

  private TreeKernels() {}

  /**
   * The fastest kernels.
   *
   * @param alone for one row at a time
   * @param block for many
   * @param many from how many rows on the block's is faster, at least 2
   */
  public record Choice(TreeKernel alone, TreeKernel block, int many) {
    /** Returns the one that is to score so many rows. */
    public TreeKernel of(int rows) {
      return rows < many ? alone : block;
    }
  }

  /**
   * Returns them: those of other artifacts and the fastest for many rows first, the plainest last.
   */
  public static List<TreeKernel> of(Forest forest) {
    List<TreeKernel> kernels = new ArrayList<>();
    try {
      for (TreeKernelProvider each :
          ServiceLoader.load(TreeKernelProvider.class, TreeKernels.class.getClassLoader())) {
        if (each.unavailable().isEmpty()) {
          kernels.addAll(each.kernels(forest));
        }
      }
    } catch (ServiceConfigurationError | LinkageError e) {
      // An artifact for another JVM must not cost what this one can do by itself.
      kernels.clear();
    }
    Ranks ranks = new Ranks(forest);
    BitvectorKernel.of(forest, ranks).ifPresent(kernels::add);
    // A table answers a set as fast as a number; the others look each answer up.
    int place = ranks.hasSets() ? 0 : kernels.size();
    TableKernel.of(forest, ranks).ifPresent(table -> kernels.add(place, table));
    PackedKernel.of(forest, ranks).ifPresent(kernels::add);
    kernels.add(new FlatKernel(forest));
    return List.copyOf(kernels);
  }

  /**
   * Measures which kernels are the fastest for one row, and for many, and from how many on.
   *
   * <p>A JVM compiles what it runs while it runs, and others run beside: a first look says little.
   * So the kernels stand in the order in which they finished on a quiet machine, long compiled. The
   * first gets time until it wins, more if it is so slow that it cannot be compiled yet, and loses
   * only to one that is clearly faster at the end of it.
   */
  public static Choice choose(Forest forest) {
    List<TreeKernel> kernels = of(forest);
    // The plainest only where no other is there.
    List<TreeKernel> block = kernels.subList(0, Math.max(1, kernels.size() - 1));
    List<TreeKernel> alone = new ArrayList<>(block);
    alone.removeIf(TreeKernel::needsMany);
    if (alone.isEmpty()) {
      alone.add(kernels.get(kernels.size() - 1));
    }
    double[][] rows = rows(forest);
    TreeKernel single = fastest(alone, forest, rows, 1);
    TreeKernel many = fastest(block, forest, rows, BLOCK);
    return new Choice(single, many, many(single, many, forest, rows));
  }

  /** Values beside the forest's own thresholds: rows must not all go the same way. */
  private static double[][] rows(Forest forest) {
    SplittableRandom random = new SplittableRandom(1);
    double[][] rows = new double[forest.columns][BLOCK];
    int[] seen = new int[forest.columns];
    for (int split = 0; split < forest.splitColumns.length; split++) {
      int column = forest.splitColumns[split];
      // A sample of equal chances whatever the number of splits (Vitter's algorithm R, 1985).
      int at = seen[column] < BLOCK ? seen[column] : random.nextInt(seen[column] + 1);
      seen[column]++;
      if (at < BLOCK) {
        int start = forest.memberStarts[split];
        rows[column][at] =
            forest.modes[split] == Forest.MEMBER
                ? start < forest.memberStarts[split + 1] ? forest.members[start] : -1
                : forest.thresholds[split];
      }
    }
    for (int column = 0; column < rows.length; column++) {
      int known = Math.min(seen[column], BLOCK);
      for (int i = known; i < BLOCK && known > 0; i++) {
        rows[column][i] = rows[column][i % known];
      }
      for (int i = BLOCK - 1; i > 0; i--) {
        int other = random.nextInt(i + 1);
        double value = rows[column][i];
        rows[column][i] = rows[column][other];
        rows[column][other] = value;
      }
    }
    return rows;
  }

  private static TreeKernel fastest(
      List<TreeKernel> kernels, Forest forest, double[][] rows, int count) {
    Race race = new Race(kernels, forest, rows, count);
    long begin = System.nanoTime();
    int lap = 0;
    long taken;
    do {
      race.lap();
      lap++;
      taken = System.nanoTime() - begin;
    } while (lap < LEAST_LAPS
        || (race.first() > 1 && taken < LIMIT_NANOS)
        || (race.first() > COLD && taken < COLD_LIMIT_NANOS));
    return kernels.get(race.winner());
  }

  /**
   * Returns from how many rows on the block's kernel pays. It works on whole padded blocks, so up
   * to 64 rows cost what 64 do, and up to 128 what 128 do; the other's rows cost the same each.
   */
  private static int many(TreeKernel alone, TreeKernel block, Forest forest, double[][] rows) {
    if (alone == block) {
      return 2;
    }
    double row = settled(alone, forest, rows, FEW) / FEW;
    for (int padded = PADDED; padded < BLOCK; padded *= 2) {
      int many = (int) Math.ceil(settled(block, forest, rows, padded) / row);
      if (many <= padded) {
        return Math.max(many, padded == PADDED ? 2 : padded / 2 + 1);
      }
    }
    return BLOCK;
  }

  /** Returns the nanoseconds of one call, once more calls have long not been faster. */
  private static double settled(TreeKernel kernel, Forest forest, double[][] rows, int count) {
    Race race = new Race(List.of(kernel), forest, rows, count);
    long begin = System.nanoTime();
    double best = Double.POSITIVE_INFINITY;
    for (int same = 0;
        same < SETTLED_LAPS && System.nanoTime() - begin < SETTLED_LIMIT_NANOS;
        same++) {
      race.lap();
      if (race.best[0] < 0.97 * best) {
        same = 0;
      }
      best = race.best[0];
    }
    return best;
  }

  /** Kernels that score the same rows in turns; the fastest turn of each counts. */
  private static final class Race {
    private final List<TreeKernel> kernels;
    private final TreeKernel.Scratch[] rooms;
    private final double[][] rows;
    private final double[][] scores;
    private final int count;
    private final double[] best;

    Race(List<TreeKernel> kernels, Forest forest, double[][] rows, int count) {
      this.kernels = kernels;
      this.rows = rows;
      this.count = count;
      rooms = kernels.stream().map(TreeKernel::scratch).toArray(TreeKernel.Scratch[]::new);
      scores = new double[forest.targets][count];
      best = new double[rooms.length];
      Arrays.fill(best, Double.POSITIVE_INFINITY);
    }

    void lap() {
      for (int i = 0; i < best.length; i++) {
        best[i] = Math.min(best[i], nanos(i));
      }
    }

    private double nanos(int kernel) {
      long begin = System.nanoTime();
      int runs = 0;
      long taken;
      do {
        kernels.get(kernel).score(rows, count, scores, rooms[kernel]);
        runs++;
        taken = System.nanoTime() - begin;
      } while (taken < LAP_NANOS);
      return (double) taken / runs;
    }

    /** Returns how many times as long as the fastest the first takes, at least 1. */
    double first() {
      return best[0] / Arrays.stream(best).min().orElseThrow();
    }

    int winner() {
      int winner = 0;
      for (int i = 1; i < best.length; i++) {
        double limit = winner == 0 ? CLEARLY * best[0] : best[winner];
        winner = best[i] < limit ? i : winner;
      }
      return winner;
    }
  }
}
