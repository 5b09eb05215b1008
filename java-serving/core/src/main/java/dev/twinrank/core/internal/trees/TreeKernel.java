package dev.twinrank.core.internal.trees;

/**
 * Scores rows by one forest. Immutable and thread-safe; a scratch belongs to one thread at a time.
 * Every kernel gives the same bits for the same rows.
 */
public interface TreeKernel {

  /** What one thread needs beside rows and scores. */
  interface Scratch {}

  /** Returns its name, for people. */
  String name();

  /** Returns whether it works on blocks of rows, however few there are; it scores any number. */
  default boolean needsMany() {
    return false;
  }

  /** Makes what a thread needs; it grows with the rows, and allocates nothing after that. */
  Scratch scratch();

  /**
   * Scores rows.
   *
   * @param columns by column of the forest, the rows' values; NaN is missing
   * @param rows how many rows; the arrays may be longer
   * @param scores by target, where the rows' raw scores go; float32 sums are widened
   * @param scratch what {@link #scratch} of this kernel made
   */
  void score(double[][] columns, int rows, double[][] scores, Scratch scratch);
}
