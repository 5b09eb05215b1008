package dev.twinrank.core.internal.rank;

import dev.twinrank.core.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The values of one output. */
public final class Columns {
  private Columns() {}

  /** Orders all of a little-endian column of float32 or float64. */
  public static Order order(ByteBuffer column, DType dtype) {
    ByteBuffer in = column.duplicate().rewind();
    byte[] scores = new byte[in.remaining()];
    in.get(scores);
    return Order.of(scores, 0, scores.length / dtype.width(), dtype, Integer.MAX_VALUE);
  }

  /** Returns the values of a little-endian column of float32 or float64, widened exactly. */
  public static double[] values(ByteBuffer column, DType dtype) {
    ByteBuffer in = column.duplicate().rewind().order(ByteOrder.LITTLE_ENDIAN);
    double[] values = new double[in.remaining() / dtype.width()];
    for (int i = 0; i < values.length; i++) {
      values[i] = dtype == DType.FLOAT32 ? in.getFloat() : in.getDouble();
    }
    return values;
  }
}
