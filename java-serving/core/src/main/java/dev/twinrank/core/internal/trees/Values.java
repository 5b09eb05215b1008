package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.proto.ProtoReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * A constant tensor, whose values are taken out only when they are asked for.
 *
 * @param name its name; empty for one of an attribute
 * @param number ONNX's number of its type
 * @param dims its dimensions
 * @param raw the values as bytes, little-endian; empty if they are in numbers
 * @param numbers the values as ONNX writes them one by one, floats as their bits; null if in raw
 * @param external whether they are in another file
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, never changed
record Values(
    String name, long number, long[] dims, ByteBuffer raw, long[] numbers, boolean external) {
  private static final int DIMS = 1;
  private static final int DATA_TYPE = 2;
  private static final int FLOATS = 4;
  private static final int INT32S = 5;
  private static final int INT64S = 7;
  private static final int NAME = 8;
  private static final int RAW = 9;
  private static final int DOUBLES = 10;
  private static final int EXTERNAL = 13;
  private static final int LOCATION = 14;
  private static final int UINT8 = 2;

  static Values read(ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("TensorProto", bytes);
    String name = "";
    long number = 0;
    Longs dims = new Longs();
    Longs numbers = new Longs();
    boolean single = false;
    boolean external = false;
    ByteBuffer raw = ByteBuffer.allocate(0);
    while (in.next()) {
      switch (in.field()) {
        case DIMS -> dims.addAll(in);
        case DATA_TYPE -> number = in.varint();
        case NAME -> name = in.string();
        case RAW -> raw = in.bytes();
        case INT32S, INT64S -> {
          numbers.addAll(in);
          single = true;
        }
        case FLOATS -> {
          ByteBuffer packed = in.fixed(ProtoReader.FIXED32);
          while (packed.hasRemaining()) {
            numbers.add(Double.doubleToRawLongBits(packed.getFloat()));
          }
          single = true;
        }
        case DOUBLES -> {
          ByteBuffer packed = in.fixed(ProtoReader.FIXED64);
          while (packed.hasRemaining()) {
            numbers.add(packed.getLong());
          }
          single = true;
        }
        case EXTERNAL, LOCATION -> external |= in.field() == EXTERNAL || in.varint() != 0;
        default -> {
          // Strings and unsigned numbers, which no column has, and documentation.
        }
      }
    }
    return new Values(
        name,
        number,
        dims.toArray(),
        raw.order(ByteOrder.LITTLE_ENDIAN),
        single ? numbers.toArray() : null,
        external);
  }

  /** Returns its type, if columns can have it. */
  Optional<Type> type() {
    return Type.of(number);
  }

  /** Returns how many values its shape says; −1 if that is no sensible number. */
  long size() {
    long size = 1;
    for (long dim : dims) {
      if (dim < 0 || (dim > 0 && size > Integer.MAX_VALUE / dim)) {
        return -1;
      }
      size *= dim;
    }
    return size;
  }

  /**
   * Returns the values: floats as the bits of the double that they are, everything else as numbers.
   *
   * @throws UnknownGraph if they are of another type, in another file, or not as many as the shape
   *     says
   */
  long[] bits() throws UnknownGraph {
    Optional<Type> type = type();
    boolean bytes = number == UINT8;
    if (external || (type.isEmpty() && !bytes)) {
      throw new UnknownGraph(
          "the constant '"
              + name
              + (external ? "' is in another file" : "' is of ONNX's type " + number));
    }
    long size = size();
    int width = bytes ? 1 : type.get().width();
    if (size != (numbers != null ? numbers.length : raw.remaining() / width)
        || (numbers == null && raw.remaining() % width != 0)) {
      throw new UnknownGraph("the constant '" + name + "' has not the values that its shape says");
    }
    if (numbers != null) {
      return numbers.clone();
    }
    long[] all = new long[(int) size];
    for (int i = 0; i < all.length; i++) {
      int at = raw.position() + i * width;
      all[i] = bytes ? Byte.toUnsignedLong(raw.get(at)) : at(type.get(), at);
    }
    return all;
  }

  private long at(Type type, int at) {
    return switch (type) {
      case F32 -> Double.doubleToRawLongBits(raw.getFloat(at));
      case F64 -> raw.getLong(at);
      case I32 -> raw.getInt(at);
      case I64 -> raw.getLong(at);
      case BOOL -> raw.get(at) == 0 ? 0 : 1;
    };
  }

  /** Returns the values as doubles. */
  double[] doubles() throws UnknownGraph {
    long[] bits = bits();
    double[] all = new double[bits.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = Double.longBitsToDouble(bits[i]);
    }
    return all;
  }
}
