package dev.twinrank.core.internal.trees;

import java.util.List;

/**
 * A graph around its trees, as operations on columns. Immutable and thread-safe.
 *
 * @param floats how many registers of floats there are
 * @param longs how many of integers and truths
 * @param constants what never changes
 * @param slateLoads what is read once a slate, from the context
 * @param slateSteps what is done once a slate, on one row
 * @param spreads registers of one row that rows need
 * @param rowLoads what is read of every candidate
 * @param rowSteps what is done for every candidate, before the trees
 * @param columns by forest, the registers of its columns
 * @param targets by forest, the registers of its scores
 * @param scoreSteps what is done with scores
 * @param slateStores outputs of one row
 * @param rowStores outputs of a row a candidate
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, never changed
record Program(
    int floats,
    int longs,
    List<Fill> constants,
    Load[] slateLoads,
    Step[] slateSteps,
    Fill[] spreads,
    Load[] rowLoads,
    Step[] rowSteps,
    int[][] columns,
    int[][] targets,
    Step[] scoreSteps,
    Store[] slateStores,
    Store[] rowStores) {

  /** A register of one value; its bits where it is a constant. */
  record Fill(Type type, int register, long bits) {}

  // Enough rows for a kernel to be quick, and few enough to stay near the processor and to be
  // stopped soon.
  private static final int MOST_ROWS = 512;
  private static final int LEAST_ROWS = 64;
  private static final int VALUES = 1 << 17;

  /** Returns how many rows are worked on at a time. */
  int chunk() {
    int fitting = VALUES / Math.max(1, floats + longs);
    return Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Integer.highestOneBit(Math.max(1, fitting))));
  }
}
