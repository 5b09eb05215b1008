package dev.twinrank.core.internal.engine;

import dev.twinrank.core.DType;
import java.util.List;
import java.util.Objects;

/**
 * One input or output of a graph.
 *
 * @param name its name in the graph
 * @param dtype int64, float32 or float64
 * @param dims the lengths of its axes, −1 where that is the number of candidates
 */
public record TensorSpec(String name, DType dtype, List<Long> dims) {
  private static final long CANDIDATES = -1;
  private static final long LEAST = 64;
  private static final long LARGEST = Integer.MAX_VALUE - 8L;

  /** Copies the axes. */
  public TensorSpec {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(dtype, "dtype");
    dims = List.copyOf(dims);
  }

  /** Returns the tensor's shape for a number of candidates. */
  public long[] shape(int candidates) {
    long[] shape = new long[dims.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = dims.get(i) == CANDIDATES ? candidates : dims.get(i);
    }
    return shape;
  }

  /**
   * Returns how many bytes a workspace allocates for it when it has to grow: half as much again as
   * the values take, so that slates that grow a little do not allocate each time.
   *
   * @throws ArithmeticException if a long cannot hold it
   */
  public long capacity(int candidates) {
    long bytes = bytes(candidates);
    return Math.max(Math.min(Math.max(Math.addExact(bytes, bytes / 2), LEAST), LARGEST), bytes);
  }

  /**
   * Returns how many bytes its values take for a number of candidates.
   *
   * @throws ArithmeticException if a long cannot hold it
   */
  public long bytes(int candidates) {
    long bytes = dtype.width();
    for (int i = 0; i < dims.size(); i++) {
      bytes = Math.multiplyExact(bytes, dims.get(i) == CANDIDATES ? candidates : dims.get(i));
    }
    return bytes;
  }
}
