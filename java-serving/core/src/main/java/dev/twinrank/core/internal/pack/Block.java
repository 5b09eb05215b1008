package dev.twinrank.core.internal.pack;

import dev.twinrank.core.DType;
import dev.twinrank.core.Placement;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.util.Arrays;
import java.util.List;

/**
 * One packed input tensor of the graph.
 *
 * @param name the input's name, for example {@code context.history.i64}
 * @param dtype int64, float32 or float64
 * @param placement once a request or once a candidate
 * @param positions the length of axis 1 of a group's block; 0 for a block of two axes
 * @param width the number of columns
 * @param columns what the columns hold, in order
 */
public record Block(
    String name, DType dtype, Placement placement, int positions, int width, List<Column> columns) {

  /** Copies the columns. */
  public Block {
    columns = List.copyOf(columns);
  }

  /** Returns the number of values in one row: of the context, or of one candidate. */
  public int rowValues() {
    return Math.max(1, positions) * width;
  }

  /** Returns the tensor's shape: {@code [rows, width]} or {@code [rows, positions, width]}. */
  public long[] shape(long rows) {
    return positions == 0 ? new long[] {rows, width} : new long[] {rows, positions, width};
  }

  /** Returns the block as a tensor of the graph. */
  public TensorSpec spec() {
    return new TensorSpec(name, dtype, Arrays.stream(declaredShape()).boxed().toList());
  }

  /** Returns the shape as the manifest writes it: −1 stands for the number of candidates. */
  public long[] declaredShape() {
    return shape(placement == Placement.CONTEXT ? 1 : -1);
  }
}
