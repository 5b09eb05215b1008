package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.GraphSession;
import java.nio.ByteBuffer;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Who scores a bundle's goldens faster: one candidate, and as many as the largest has.
 *
 * <p>The runs of both alternate, and the fastest of each counts. Trees are compiled by the JVM
 * while they run, so they get time until they win, and it ends there; usually after a millisecond.
 *
 * @param treesWin whether this library's trees do
 * @param reason the times
 */
record Contest(boolean treesWin, String reason) {
  private static final long LIMIT_NANOS = 400_000_000;
  private static final long LAP_NANOS = 200_000;
  private static final int LEAST_LAPS = 3;

  static Contest of(GraphSession trees, GraphSession runtime, List<Golden> goldens) {
    Optional<Golden> largest =
        goldens.stream()
            .filter(each -> !each.inputs.isEmpty())
            .max(Comparator.comparingInt(each -> each.candidates));
    if (largest.isEmpty()) {
      return new Contest(false, "no golden has a candidate to measure with");
    }
    try {
      Times one = times(trees, runtime, largest.get(), 1);
      Times many = times(trees, runtime, largest.get(), largest.get().candidates);
      return new Contest(
          one.ratio() * many.ratio() <= 1,
          "the goldens took "
              + one.text(1)
              + " and "
              + many.text(largest.get().candidates)
              + " (java against onnxruntime, in microseconds)");
    } catch (GraphFailure e) {
      return new Contest(false, "a golden could not be measured: " + e.getMessage());
    }
  }

  private record Times(double trees, double runtime) {
    double ratio() {
      return trees / runtime;
    }

    String text(int candidates) {
      return String.format(
          Locale.ROOT, "%.1f against %.1f for %d", trees / 1e3, runtime / 1e3, candidates);
    }
  }

  private static Times times(
      GraphSession trees, GraphSession runtime, Golden golden, int candidates) throws GraphFailure {
    Workspace mine = trees.take();
    Workspace other = runtime.take();
    try {
      fill(mine, golden, candidates);
      fill(other, golden, candidates);
      double fastest = Double.POSITIVE_INFINITY;
      double rival = Double.POSITIVE_INFINITY;
      long begin = System.nanoTime();
      for (int lap = 0;
          lap < LEAST_LAPS || (fastest > rival && System.nanoTime() - begin < LIMIT_NANOS);
          lap++) {
        fastest = Math.min(fastest, lap(trees, mine));
        rival = Math.min(rival, lap(runtime, other));
      }
      return new Times(fastest, rival);
    } finally {
      mine.close();
      other.close();
    }
  }

  private static void fill(Workspace workspace, Golden golden, int candidates) throws GraphFailure {
    workspace.resize(candidates);
    for (int i = 0; i < golden.inputs.size(); i++) {
      ByteBuffer input = workspace.input(i);
      input.put(0, golden.inputs.get(i), 0, input.limit());
    }
  }

  private static double lap(GraphSession session, Workspace workspace) throws GraphFailure {
    long begin = System.nanoTime();
    int runs = 0;
    long taken;
    do {
      session.run(workspace, null);
      runs++;
      taken = System.nanoTime() - begin;
    } while (taken < LAP_NANOS);
    return (double) taken / runs;
  }
}
