package dev.twinrank.server.oip;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A tensor whose shape and data fit each other. Immutable and thread-safe, as long as nobody
 * changes the memory that it was made of.
 *
 * <p>Its data are those of the protocol's binary form, whatever form it came in: row-major,
 * little-endian, BOOL a byte of 0 or 1, BYTES each a length of 32 bits and then the bytes.
 */
public final class Tensor {
  private static final int LENGTH = Integer.BYTES;
  private static final int[] NONE = {};

  private final String name;
  private final Datatype datatype;
  private final long[] shape;
  private final int elements;
  private final ByteBuffer data;
  // Where each element of BYTES begins, and where the next one would.
  private final int[] starts;

  private Tensor(
      String name, Datatype datatype, long[] shape, int elements, ByteBuffer data, int[] starts) {
    this.name = name;
    this.datatype = datatype;
    this.shape = shape;
    this.elements = elements;
    this.data = data;
    this.starts = starts;
  }

  /**
   * Makes a tensor of memory that is not copied.
   *
   * @param data the binary form, from its position to its limit
   * @throws dev.twinrank.server.problem.Refusal {@code invalid_tensor} if the data do not fit the
   *     shape or the type
   */
  public static Tensor of(String name, Datatype datatype, long[] shape, ByteBuffer data) {
    ByteBuffer own = data.slice().order(ByteOrder.LITTLE_ENDIAN);
    int elements = elements(name, shape);
    int[] starts = NONE;
    if (datatype == Datatype.BYTES) {
      starts = starts(name, elements, own);
    } else if ((long) elements * datatype.width() != own.limit()) {
      throw OipProblems.tensor(
          name,
          "has %d bytes of data, but %s of shape %s takes %d"
              .formatted(
                  own.limit(),
                  datatype,
                  Arrays.toString(shape),
                  (long) elements * datatype.width()));
    }
    if (datatype == Datatype.BOOL) {
      for (int i = 0; i < elements; i++) {
        if ((own.get(i) & ~1) != 0) {
          throw OipProblems.tensor(
              name, "has the byte %d at element %d; a BOOL is 0 or 1".formatted(own.get(i), i));
        }
      }
    }
    return new Tensor(name, datatype, shape.clone(), elements, own, starts);
  }

  private static int[] starts(String name, int elements, ByteBuffer data) {
    if ((long) elements * LENGTH > data.limit()) {
      throw OipProblems.tensor(
          name,
          "has %d bytes of data, too few for the lengths of %d elements"
              .formatted(data.limit(), elements));
    }
    int[] starts = new int[elements + 1];
    int at = 0;
    for (int i = 0; i < elements; i++) {
      if (data.limit() - at < LENGTH) {
        throw OipProblems.tensor(
            name, "ends after %d elements of BYTES; its shape has %d".formatted(i, elements));
      }
      long length = Integer.toUnsignedLong(data.getInt(at));
      at += LENGTH;
      starts[i] = at;
      if (length > data.limit() - at) {
        throw OipProblems.tensor(
            name,
            "says that element %d has %d bytes, but %d are left"
                .formatted(i, length, data.limit() - at));
      }
      at += (int) length;
    }
    starts[elements] = at + LENGTH;
    if (at != data.limit()) {
      throw OipProblems.tensor(
          name,
          "has %d bytes more than its %d elements of BYTES take"
              .formatted(data.limit() - at, elements));
    }
    return starts;
  }

  private static int elements(String name, long[] shape) {
    long elements = 1;
    boolean none = false;
    for (long size : shape) {
      if (size < 0) {
        throw OipProblems.tensor(
            name, "has the shape %s; sizes are 0 or more".formatted(Arrays.toString(shape)));
      }
      none |= size == 0;
      // So large that the next factor cannot overflow, and larger than any body.
      elements = Math.min(elements, Integer.MAX_VALUE) * Math.min(size, Integer.MAX_VALUE);
    }
    if (none) {
      return 0;
    }
    if (elements > Integer.MAX_VALUE) {
      throw OipProblems.tensor(
          name,
          "has the shape %s; at most %d elements are taken"
              .formatted(Arrays.toString(shape), Integer.MAX_VALUE));
    }
    return (int) elements;
  }

  public String name() {
    return name;
  }

  public Datatype datatype() {
    return datatype;
  }

  /** Returns a copy of the shape. */
  public long[] shape() {
    return shape.clone();
  }

  /** Returns the number of dimensions. */
  public int rank() {
    return shape.length;
  }

  /** Returns the size of a dimension. */
  public long size(int dimension) {
    return shape[dimension];
  }

  /** Returns the number of elements. */
  public int elements() {
    return elements;
  }

  /** Returns the data in binary form: a read-only little-endian view of its own, from its start. */
  public ByteBuffer data() {
    return data.asReadOnlyBuffer().rewind().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Returns the data in binary form, not to be changed or moved in. */
  ByteBuffer memory() {
    return data;
  }

  /** Returns where the bytes of an element of BYTES begin in the data. */
  public int start(int element) {
    return starts[element];
  }

  /** Returns where the bytes of an element of BYTES end in the data. */
  public int end(int element) {
    return starts[element + 1] - LENGTH;
  }

  /** Returns an integer; one of UINT64 as its bits, so that those beyond INT64 are negative. */
  public long integer(int element) {
    return switch (datatype) {
      case BOOL, UINT8 -> Byte.toUnsignedLong(data.get(element));
      case INT8 -> data.get(element);
      case UINT16 -> Short.toUnsignedLong(data.getShort(2 * element));
      case INT16 -> data.getShort(2 * element);
      case UINT32 -> Integer.toUnsignedLong(data.getInt(4 * element));
      case INT32 -> data.getInt(4 * element);
      case UINT64, INT64 -> data.getLong(8 * element);
      case FP16, FP32, FP64, BF16, BYTES ->
          throw new IllegalStateException(datatype + " holds no integers");
    };
  }

  /** Returns the elements of a tensor of BOOL. */
  boolean[] booleans() {
    boolean[] values = new boolean[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = data.get(i) != 0;
    }
    return values;
  }

  /** Returns a float, widened exactly; NaNs need not keep their payload. */
  public double decimal(int element) {
    return switch (datatype) {
      case FP64 -> data.getDouble(8 * element);
      case FP32 -> data.getFloat(4 * element);
      case BF16 -> Halves.BFLOAT.widen(data.getShort(2 * element));
      case FP16 -> Halves.HALF.widen(data.getShort(2 * element));
      default -> throw new IllegalStateException(datatype + " holds no floats");
    };
  }

  @Override
  public String toString() {
    return "%s %s%s".formatted(name, datatype, Arrays.toString(shape));
  }
}
