package dev.twinrank.benchmarks.peer;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.twinrank.benchmarks.Request;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;

/** Three or four packed arrays a request, for the bundle's own graph. */
final class PackedBlocks implements Djl.Packer {
  private final Inputs inputs;

  PackedBlocks(Inputs inputs) {
    this.inputs = inputs;
  }

  @Override
  public NDList pack(Request request, Djl.Arrays arrays) {
    NDList list = new NDList(inputs.blocks().size());
    for (Inputs.Block block : inputs.blocks()) {
      int rows = block.rows(request.n());
      Shape shape = new Shape(rows, block.width());
      int count = rows * block.width();
      if (block.keys()) {
        ByteBuffer memory = arrays.memory(Long.BYTES * count);
        LongBuffer keys = memory.asLongBuffer();
        block.pack(request, keys);
        list.add(arrays.array(block.name(), keys, shape, DataType.INT64));
      } else {
        ByteBuffer memory = arrays.memory(Float.BYTES * count);
        FloatBuffer numbers = memory.asFloatBuffer();
        block.pack(request, numbers);
        list.add(arrays.array(block.name(), numbers, shape, DataType.FLOAT32));
      }
    }
    return list;
  }
}
