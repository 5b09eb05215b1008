package dev.twinrank.core.internal.proto;

import dev.twinrank.core.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor from ONNX's own file format.
 *
 * @param name its name
 * @param dtype int64, float32 or float64
 * @param shape its dimensions
 * @param data its values, little-endian, row-major
 */
public record Tensor(String name, DType dtype, List<Long> shape, ByteBuffer data) {
  private static final int DIMS = 1;
  private static final int DATA_TYPE = 2;
  private static final int NAME = 8;
  private static final int RAW_DATA = 9;
  private static final int DOC_STRING = 12;

  /** Copies the shape. */
  public Tensor {
    shape = List.copyOf(shape);
  }

  /**
   * Reads a TensorProto whose values are in {@code raw_data}, the only place that the contract's
   * writers put them.
   *
   * @throws InvalidProto if it is malformed, of another type, or its size does not fit its shape
   */
  public static Tensor read(byte[] bytes) {
    ProtoReader in = new ProtoReader("the tensor", ByteBuffer.wrap(bytes));
    String name = "";
    long type = 0;
    List<Long> shape = new ArrayList<>();
    ByteBuffer data = ByteBuffer.allocate(0);
    while (in.next()) {
      switch (in.field()) {
        case DIMS -> dims(in, shape);
        case DATA_TYPE -> type = in.once().varint();
        case NAME -> name = in.once().string();
        case RAW_DATA -> data = in.once().bytes();
        case DOC_STRING -> in.once().string();
        default ->
            throw in.invalid(
                "has field " + in.field() + "; values are in raw_data, and nothing is external");
      }
    }
    DType dtype = OnnxTypes.dtype(type);
    if (dtype == null) {
      throw in.invalid("has type " + type + "; float32, float64 and int64 are allowed");
    }
    long size = dtype.width();
    for (long dim : shape) {
      if (dim < 0 || (dim > 0 && size > Integer.MAX_VALUE / dim)) {
        throw in.invalid("has the shape " + shape + "; that is negative or too large");
      }
      size *= dim;
    }
    if (size != data.remaining()) {
      throw in.invalid(
          "holds " + data.remaining() + " bytes; its shape " + shape + " needs " + size);
    }
    return new Tensor(name, dtype, shape, data.order(ByteOrder.LITTLE_ENDIAN));
  }

  private static void dims(ProtoReader in, List<Long> shape) {
    if (in.wire() == ProtoReader.VARINT) {
      shape.add(in.varint());
    } else {
      ByteBuffer packed = in.bytes();
      shape.addAll(ProtoReader.varints("the tensor's shape", packed));
    }
  }
}
