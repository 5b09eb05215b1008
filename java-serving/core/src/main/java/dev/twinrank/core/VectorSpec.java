package dev.twinrank.core;

/**
 * Makes a feature a vector: a fixed number of numbers, an embedding say. Immutable and thread-safe.
 *
 * @param length the number of elements, 1 to 4096; another number is an invalid value
 * @since 0.1
 */
public record VectorSpec(int length) {

  /**
   * Checks the bounds.
   *
   * @throws IllegalArgumentException if {@code length} is outside 1 to 4096
   */
  public VectorSpec {
    if (length < 1 || length > 4096) {
      throw new IllegalArgumentException("length is " + length + "; 1 to 4096 is allowed");
    }
  }
}
