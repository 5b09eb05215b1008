package dev.twinrank.core;

import java.util.Objects;

/**
 * One named model output. Immutable and thread-safe.
 *
 * @param name the head's name; {@code score} for the output that orders the slate
 * @param dtype {@link DType#FLOAT32} or {@link DType#FLOAT64}
 * @since 0.1
 */
public record Head(String name, DType dtype) {

  /**
   * Checks the type.
   *
   * @throws IllegalArgumentException if {@code dtype} is neither float32 nor float64
   */
  public Head {
    Objects.requireNonNull(name, "name");
    if (dtype != DType.FLOAT32 && dtype != DType.FLOAT64) {
      throw new IllegalArgumentException(
          "head '" + name + "' has dtype " + dtype + "; float32 or float64 is allowed");
    }
  }
}
