package dev.twinrank.core.internal.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import dev.twinrank.core.DType;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.Slate;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Native memory for one run at a time: a direct buffer for each input and output, kept between runs
 * and grown when a larger slate comes. Not thread-safe.
 */
class Workspace {
  private static final long LARGEST = Integer.MAX_VALUE - 8L;

  private final OrtEnvironment environment;
  private final List<Block> blocks;
  private final List<Output> outputs;
  private final ByteBuffer[] inputMemory;
  private final ByteBuffer[] outputMemory;

  Workspace(OrtEnvironment environment, List<Block> blocks, List<Output> outputs) {
    this.environment = environment;
    this.blocks = blocks;
    this.outputs = outputs;
    this.inputMemory = new ByteBuffer[blocks.size()];
    this.outputMemory = new ByteBuffer[outputs.size()];
  }

  /** Copies a slate in, and returns tensors over it by input name; the caller closes them. */
  Map<String, OnnxTensor> inputs(Slate slate) throws OrtException {
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    try {
      for (int i = 0; i < blocks.size(); i++) {
        Block block = blocks.get(i);
        ByteBuffer values = slate.blocks().get(i).duplicate().rewind();
        ByteBuffer memory = memory(inputMemory, i, values.remaining());
        memory.put(values).flip();
        long rows = values.limit() / ((long) block.rowValues() * block.dtype().width());
        tensors.put(block.name(), tensor(memory, block.shape(rows), block.dtype()));
      }
      return tensors;
    } catch (OrtException | RuntimeException e) {
      close(tensors);
      throw e;
    }
  }

  /** Returns tensors for the results by output name; the caller closes them. */
  Map<String, OnnxTensor> outputs(int candidates) throws OrtException {
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    try {
      for (int i = 0; i < outputs.size(); i++) {
        Output output = outputs.get(i);
        long[] shape = output.shape(candidates);
        long bytes = output.dtype().width();
        for (long dimension : shape) {
          bytes *= dimension;
        }
        if (bytes > LARGEST) {
          throw new OrtException(
              "output '" + output.name() + "' would take " + bytes + " bytes; send less at once");
        }
        ByteBuffer memory = memory(outputMemory, i, (int) bytes);
        tensors.put(output.name(), tensor(memory, shape, output.dtype()));
      }
      return tensors;
    } catch (OrtException | RuntimeException e) {
      close(tensors);
      throw e;
    }
  }

  /** Returns a copy of what a run has left in the memory of the outputs. */
  ByteBuffer[] results() {
    ByteBuffer[] results = new ByteBuffer[outputs.size()];
    for (int i = 0; i < results.length; i++) {
      ByteBuffer memory = outputMemory[i].duplicate();
      results[i] =
          ByteBuffer.allocate(memory.remaining()).put(memory).flip().order(ByteOrder.LITTLE_ENDIAN);
    }
    return results;
  }

  static void close(Map<String, OnnxTensor> tensors) {
    tensors.values().forEach(OnnxTensor::close);
  }

  /** Makes one tensor over direct memory; tests make it fail. */
  OnnxTensor tensor(ByteBuffer memory, long[] shape, DType dtype) throws OrtException {
    OnnxJavaType type =
        switch (dtype) {
          case FLOAT32 -> OnnxJavaType.FLOAT;
          case FLOAT64 -> OnnxJavaType.DOUBLE;
          default -> OnnxJavaType.INT64;
        };
    return OnnxTensor.createTensor(environment, memory, shape, type);
  }

  /** Returns direct memory of exactly that many bytes, from its start. */
  private static ByteBuffer memory(ByteBuffer[] pool, int index, int bytes) {
    if (pool[index] == null || pool[index].capacity() < bytes) {
      pool[index] = ByteBuffer.allocateDirect(grown(bytes)).order(ByteOrder.nativeOrder());
    }
    return pool[index].clear().limit(bytes);
  }

  private static int grown(int bytes) {
    return (int) Math.min(Math.max(bytes + bytes / 2L, 64), LARGEST);
  }
}
