package dev.twinrank.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * One packed input tensor of the graph. Immutable and thread-safe.
 *
 * @since 0.1
 */
public final class PackedBlock {
  private final String name;
  private final DType dtype;
  private final long[] shape;
  private final ByteBuffer data;

  PackedBlock(String name, DType dtype, long[] shape, ByteBuffer data) {
    this.name = Objects.requireNonNull(name, "name");
    this.dtype = Objects.requireNonNull(dtype, "dtype");
    this.shape = shape.clone();
    this.data = data.asReadOnlyBuffer();
  }

  /** Returns the name of the graph's input, for example {@code context.i64}. */
  public String name() {
    return name;
  }

  /** Returns {@link DType#INT64}, {@link DType#FLOAT32} or {@link DType#FLOAT64}. */
  public DType dtype() {
    return dtype;
  }

  /** Returns a copy of the shape, with the number of candidates filled in. */
  public long[] shape() {
    return shape.clone();
  }

  /** Returns the values, row-major: a read-only little-endian view of its own, from its start. */
  public ByteBuffer data() {
    return data.duplicate().rewind().order(ByteOrder.LITTLE_ENDIAN);
  }
}
