package dev.twinrank.core.internal.trees;

import java.util.Optional;

/** The types that columns have. Floats are kept as doubles, exactly; everything else as longs. */
enum Type {
  F32(1, Float.BYTES),
  F64(11, Double.BYTES),
  I32(6, Integer.BYTES),
  I64(7, Long.BYTES),
  BOOL(9, 1);

  private final int number;
  private final int width;

  Type(int number, int width) {
    this.number = number;
    this.width = width;
  }

  /** Returns the type of a number of ONNX's, if columns can have it. */
  static Optional<Type> of(long number) {
    for (Type type : values()) {
      if (type.number == number) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }

  boolean isFloat() {
    return this == F32 || this == F64;
  }

  /** Returns the bytes of one value in a tensor. */
  int width() {
    return width;
  }
}
