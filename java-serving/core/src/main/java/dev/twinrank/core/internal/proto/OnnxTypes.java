package dev.twinrank.core.internal.proto;

import dev.twinrank.core.DType;

/** ONNX's numbers of the types that blocks and heads have. */
public final class OnnxTypes {
  private static final int FLOAT = 1;
  private static final int INT64 = 7;
  private static final int DOUBLE = 11;

  private OnnxTypes() {}

  /** Returns the type, or null if no block and no head has it. */
  static DType dtype(long number) {
    if (number == FLOAT) {
      return DType.FLOAT32;
    }
    if (number == DOUBLE) {
      return DType.FLOAT64;
    }
    return number == INT64 ? DType.INT64 : null;
  }

  /** Returns ONNX's number of a block's or a head's type. */
  public static long number(DType dtype) {
    return switch (dtype) {
      case FLOAT32 -> FLOAT;
      case FLOAT64 -> DOUBLE;
      default -> INT64;
    };
  }
}
