package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.DType;
import dev.twinrank.core.Placement;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.pack.UnseenOutput;
import java.util.Arrays;

/**
 * One output of a graph.
 *
 * @param name the output's name in the graph
 * @param dtype float32, float64 or int64
 * @param placement whether it has one row or a row a candidate
 * @param width the number of columns; 0 for an output of one axis
 */
public record Output(String name, DType dtype, Placement placement, int width) {

  /** Returns a head's output or the score's: a value a candidate. */
  public static Output values(String name, DType dtype) {
    return new Output(name, dtype, Placement.CANDIDATE, 0);
  }

  /** Returns the output of a graph's counts of unseen values. */
  public static Output of(UnseenOutput unseen) {
    return new Output(unseen.name(), DType.INT64, unseen.placement(), unseen.features().size());
  }

  /** Returns the output as a tensor of the graph. */
  public TensorSpec spec() {
    return new TensorSpec(name, dtype, Arrays.stream(shape(-1)).boxed().toList());
  }

  /**
   * Returns the tensor's shape for a number of candidates: {@code [rows]} or {@code [rows, width]}.
   */
  public long[] shape(long candidates) {
    long rows = placement == Placement.CONTEXT ? 1 : candidates;
    return width == 0 ? new long[] {rows} : new long[] {rows, width};
  }
}
