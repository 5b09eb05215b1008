package dev.twinrank.probe;

import dev.twinrank.core.internal.proto.ProtoReader;
import dev.twinrank.probe.GraphException.Code;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads ONNX's files of values: TensorProto, SequenceProto and OptionalProto, as onnx.proto defines
 * them. Static.
 *
 * <p>Strict where parsers are lenient: values in a field that is not their type's, in two fields,
 * too few, too many or out of range are refused, and so are fields that onnx.proto does not have.
 */
final class ValueReader {
  private static final int MAX_DEPTH = 16;
  private static final String SEQUENCE = "sequence(";
  private static final String OPTIONAL = "optional(";

  private ValueReader() {}

  /**
   * Reads a value of a type.
   *
   * @param type as {@link GraphTypes} says it
   * @throws dev.twinrank.core.internal.proto.InvalidProto if the bytes are malformed
   * @throws GraphException {@code invalid_value} if they contradict themselves; {@code
   *     unsupported_type} for maps and sparse tensors
   */
  static Value read(ByteBuffer bytes, String type) {
    return read(bytes, type, 0);
  }

  private static Value read(ByteBuffer bytes, String type, int depth) {
    if (type.startsWith(SEQUENCE)) {
      return sequence(bytes, inner(type, SEQUENCE), depth);
    }
    if (type.startsWith(OPTIONAL)) {
      return optional(bytes, inner(type, OPTIONAL), depth);
    }
    if (type.startsWith("tensor(")) {
      return new TensorFields(bytes).tensor();
    }
    throw new GraphException(
        Code.UNSUPPORTED_TYPE, "a value of the type %s cannot be given".formatted(type));
  }

  private static String inner(String type, String outer) {
    return type.substring(outer.length(), type.length() - 1);
  }

  private static Value sequence(ByteBuffer bytes, String element, int depth) {
    ProtoReader in = new ProtoReader("the sequence", bytes);
    refuseDeep(in, depth);
    int field = 2 + kind(element);
    List<Value> values = new ArrayList<>();
    while (in.next()) {
      if (in.field() == field) {
        values.add(read(in.bytes(), element, depth + 1));
      } else {
        refuseUnlessNameOrKind(in, element);
      }
    }
    return new Value.Sequence(List.copyOf(values));
  }

  private static Value optional(ByteBuffer bytes, String element, int depth) {
    ProtoReader in = new ProtoReader("the optional", bytes);
    refuseDeep(in, depth);
    int field = 2 + kind(element);
    Optional<Value> value = Optional.empty();
    while (in.next()) {
      if (in.field() == field) {
        value = Optional.of(read(in.once().bytes(), element, depth + 1));
      } else {
        refuseUnlessNameOrKind(in, element);
      }
    }
    return new Value.Maybe(value);
  }

  private static void refuseDeep(ProtoReader in, int depth) {
    if (depth > MAX_DEPTH) {
      throw in.invalid("is nested deeper than " + MAX_DEPTH);
    }
  }

  // SequenceProto.DataType and OptionalProto.DataType; the field of such values has the number two
  // higher.
  private static int kind(String type) {
    return switch (type.substring(0, type.indexOf('(') + 1)) {
      case "tensor(" -> 1;
      case "sparse_tensor(" -> 2;
      case SEQUENCE -> 3;
      case "map(" -> 4;
      case OPTIONAL -> 5;
      default ->
          throw new GraphException(
              Code.UNSUPPORTED_TYPE, "a value of the type %s cannot be given".formatted(type));
    };
  }

  private static void refuseUnlessNameOrKind(ProtoReader in, String element) {
    int number = in.field();
    if (number == 1) {
      in.once().string();
      return;
    }
    long kind = number == 2 ? in.once().varint() : -1;
    // 0 is what an empty optional may say.
    if (number != 2 || (kind != kind(element) && kind != 0)) {
      throw in.invalid("has field %d, which a holder of %s has not".formatted(number, element));
    }
  }

  /** The fields of one TensorProto. */
  private static final class TensorFields {
    private static final int FLOAT_DATA = 4;
    private static final int INT32_DATA = 5;
    private static final int STRING_DATA = 6;
    private static final int INT64_DATA = 7;
    private static final int RAW_DATA = 9;
    private static final int DOUBLE_DATA = 10;
    private static final int UINT64_DATA = 11;

    private final ProtoReader in;
    private final List<Long> shape = new ArrayList<>();
    private final List<Long> numbers = new ArrayList<>();
    private final List<ByteBuffer> pieces = new ArrayList<>();
    private String name = "";
    private long type;
    private int source;

    TensorFields(ByteBuffer bytes) {
      in = new ProtoReader("the tensor", bytes);
      while (in.next()) {
        switch (in.field()) {
          case 1 -> varints(shape);
          case 2 -> type = in.once().varint();
          case 8 -> name = in.once().string();
          case 12 -> in.once().string();
          case FLOAT_DATA -> {
            from();
            pieces.add(in.fixed(ProtoReader.FIXED32));
          }
          case DOUBLE_DATA -> {
            from();
            pieces.add(in.fixed(ProtoReader.FIXED64));
          }
          case INT32_DATA, INT64_DATA, UINT64_DATA -> {
            from();
            varints(numbers);
          }
          case STRING_DATA -> {
            from();
            pieces.add(in.bytes());
          }
          case RAW_DATA -> {
            from();
            pieces.add(in.once().bytes());
          }
          default ->
              throw in.invalid(
                  "has field "
                      + in.field()
                      + "; nothing of a test's data is external or segmented");
        }
      }
    }

    private void varints(List<Long> values) {
      if (in.wire() == ProtoReader.VARINT) {
        values.add(in.varint());
      } else {
        values.addAll(ProtoReader.varints("the tensor", in.bytes()));
      }
    }

    /** Notes where values are, and refuses a second place. */
    private void from() {
      if (source != 0 && source != in.field()) {
        throw in.invalid("has values in the fields " + source + " and " + in.field());
      }
      source = in.field();
    }

    Value.Tensor tensor() {
      ElementType elements = ElementType.of(type);
      long count = Tensors.elements(name, shape);
      if (elements == ElementType.STRING) {
        return strings(count);
      }
      long size = elements.bytes(count);
      if (source != 0 && source != RAW_DATA && source != field(elements)) {
        throw in.invalid(
            "has its values in field %d; %s is in %d or in raw_data"
                .formatted(source, elements.label(), field(elements)));
      }
      ByteBuffer data = numbers.isEmpty() ? joined() : packed(elements, size);
      if (data.remaining() != size) {
        throw in.invalid(
            "holds %d bytes; %s of the shape %s needs %d"
                .formatted(data.remaining(), elements.label(), shape, size));
      }
      return new Value.Tensor(elements, List.copyOf(shape), data.order(ByteOrder.LITTLE_ENDIAN));
    }

    private Value.Tensor strings(long count) {
      if ((source != 0 && source != STRING_DATA) || pieces.size() != count) {
        throw in.invalid(
            "holds %d strings; its shape %s needs %d, in string_data"
                .formatted(source == STRING_DATA ? pieces.size() : 0, shape, count));
      }
      int size = pieces.stream().mapToInt(piece -> Integer.BYTES + piece.remaining()).sum();
      ByteBuffer data = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
      pieces.forEach(piece -> data.putInt(piece.remaining()).put(piece.duplicate()));
      return new Value.Tensor(ElementType.STRING, List.copyOf(shape), data.flip());
    }

    private ByteBuffer joined() {
      ByteBuffer all = ByteBuffer.allocate(pieces.stream().mapToInt(ByteBuffer::remaining).sum());
      pieces.forEach(piece -> all.put(piece.duplicate()));
      return all.flip();
    }

    private static int field(ElementType type) {
      return switch (type) {
        case FLOAT32, COMPLEX64 -> FLOAT_DATA;
        case FLOAT64, COMPLEX128 -> DOUBLE_DATA;
        case INT64 -> INT64_DATA;
        case UINT32, UINT64 -> UINT64_DATA;
        case STRING -> STRING_DATA;
        default -> INT32_DATA;
      };
    }

    // One number an element, or a byte of them where they are smaller than that.
    private ByteBuffer packed(ElementType type, long size) {
      int width = Math.max(1, (int) type.bytes(1));
      if ((long) numbers.size() * width != size) {
        throw in.invalid(
            "holds %d numbers; %s of the shape %s needs %d"
                .formatted(numbers.size(), type.label(), shape, size / width));
      }
      ByteBuffer data = ByteBuffer.allocate((int) size).order(ByteOrder.LITTLE_ENDIAN);
      for (long number : numbers) {
        refuseOutside(type, number, width);
        switch (width) {
          case Byte.BYTES -> data.put((byte) number);
          case Short.BYTES -> data.putShort((short) number);
          case Integer.BYTES -> data.putInt((int) number);
          default -> data.putLong(number);
        }
      }
      return data.flip();
    }

    private void refuseOutside(ElementType type, long number, int width) {
      boolean signed =
          type == ElementType.INT8 || type == ElementType.INT16 || type == ElementType.INT32;
      int bits = 8 * width;
      boolean fits =
          switch (type) {
            case INT64, UINT64 -> true;
            case BOOL -> number == 0 || number == 1;
            default ->
                signed
                    ? number >= -(1L << (bits - 1)) && number < 1L << (bits - 1)
                    : number >= 0 && number < 1L << bits;
          };
      if (!fits) {
        throw in.invalid("holds %d, which is no %s".formatted(number, type.label()));
      }
    }
  }
}
