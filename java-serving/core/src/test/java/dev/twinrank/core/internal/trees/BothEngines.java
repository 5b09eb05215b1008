package dev.twinrank.core.internal.trees;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.Engines;
import dev.twinrank.core.internal.pack.Block;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleSupplier;

/** One model, scored by ONNX Runtime and by Java. */
final class BothEngines implements AutoCloseable {
  final TreeGraph java;
  private final NativeGraph runtime;
  private final List<Block> blocks;
  private final List<TensorSpec> outputs;

  BothEngines(byte[] model, List<Block> blocks, List<TensorSpec> outputs)
      throws GraphFailure, UnknownGraph {
    this.blocks = blocks;
    this.outputs = outputs;
    List<TensorSpec> inputs = blocks.stream().map(Block::spec).toList();
    this.runtime =
        Engines.get().load(model, Path.of(""), SessionSettings.standard(), inputs, outputs);
    this.java =
        TreeGraph.read(
            model,
            blocks,
            outputs,
            forest -> new TreeKernels.Choice(new FlatKernel(forest), new FlatKernel(forest), 2));
  }

  /**
   * Scores random rows by both.
   *
   * @return how many values were compared
   */
  long requireSame(Random random, int candidates, DoubleSupplier values) throws GraphFailure {
    try (Workspace expected = runtime.workspace();
        Workspace actual = java.workspace()) {
      expected.resize(candidates);
      actual.resize(candidates);
      for (int i = 0; i < blocks.size(); i++) {
        fill(expected.input(i), blocks.get(i).dtype(), random, values);
        actual.input(i).put(0, expected.input(i), 0, expected.input(i).limit());
      }
      expected.run(null);
      actual.run(null);
      long compared = 0;
      for (int i = 0; i < outputs.size(); i++) {
        compared += compare(outputs.get(i), expected.output(i), actual.output(i));
      }
      return compared;
    }
  }

  private static void fill(ByteBuffer block, DType dtype, Random random, DoubleSupplier values) {
    for (int at = 0; at < block.limit(); at += dtype.width()) {
      switch (dtype) {
        case FLOAT64 -> block.putDouble(at, values.getAsDouble());
        case FLOAT32 -> block.putFloat(at, (float) values.getAsDouble());
        default ->
            block.putLong(at, random.nextInt(20) == 0 ? random.nextLong() : random.nextInt(6) - 1);
      }
    }
  }

  static long compare(TensorSpec spec, ByteBuffer expected, ByteBuffer actual) {
    assertEquals(expected.limit(), actual.limit());
    ByteBuffer x = expected.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer y = actual.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long compared = 0;
    for (int at = 0; at < expected.limit(); at += spec.dtype().width()) {
      long one = bits(spec.dtype(), x, at);
      long other = bits(spec.dtype(), y, at);
      if (one != other) {
        throw new AssertionError(
            spec.name()
                + " of row "
                + at / spec.dtype().width()
                + " is "
                + Long.toHexString(other)
                + " instead of "
                + Long.toHexString(one));
      }
      compared++;
    }
    return compared;
  }

  /** Returns a value's bits; those of one NaN for every NaN. */
  private static long bits(DType dtype, ByteBuffer values, int at) {
    return switch (dtype) {
      case FLOAT64 -> Double.doubleToLongBits(values.getDouble(at));
      case FLOAT32 -> Float.floatToIntBits(values.getFloat(at));
      default -> values.getLong(at);
    };
  }

  @Override
  public void close() {
    runtime.close();
    java.close();
  }
}
