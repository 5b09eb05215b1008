package dev.twinrank.probe;

import dev.twinrank.probe.GraphException.Code;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads tensors from bodies and strings from tensors. Static. */
final class Tensors {
  private Tensors() {}

  /**
   * Takes a tensor's data from a body, which is past them then.
   *
   * @throws ProtocolException {@code invalid_frame} if the body ends before
   */
  static Value.Tensor take(String name, ElementType type, List<Long> shape, ByteBuffer body) {
    long elements = elements(name, shape);
    ByteBuffer rest = body.slice().order(ByteOrder.LITTLE_ENDIAN);
    long bytes =
        type == ElementType.STRING ? stringBytes(name, elements, rest) : size(name, type, elements);
    if (bytes > rest.remaining()) {
      throw new ProtocolException(
          ProtocolException.Code.INVALID_FRAME,
          "'%s' takes %d bytes of the body; %d are left".formatted(name, bytes, rest.remaining()));
    }
    body.position(body.position() + (int) bytes);
    return new Value.Tensor(type, shape, rest.slice(0, (int) bytes).order(ByteOrder.LITTLE_ENDIAN));
  }

  /**
   * Returns how many elements a shape has.
   *
   * @throws GraphException {@code invalid_value} if an axis is negative or they are more than an
   *     array can hold
   */
  static long elements(String name, List<Long> shape) {
    long elements = 1;
    boolean huge = false;
    for (long axis : shape) {
      if (axis < 0) {
        throw new GraphException(
            Code.INVALID_VALUE,
            "'%s' has the shape %s: an axis is negative".formatted(name, shape));
      }
      huge |= axis > 0 && elements > Integer.MAX_VALUE / axis;
      elements = huge ? elements : elements * axis;
    }
    if (huge && !shape.contains(0L)) {
      throw new GraphException(
          Code.INVALID_VALUE,
          "'%s' has the shape %s: more elements than an array can hold".formatted(name, shape));
    }
    return shape.contains(0L) ? 0 : elements;
  }

  private static long size(String name, ElementType type, long elements) {
    long bytes = type.bytes(elements);
    if (bytes > Integer.MAX_VALUE - 8L) {
      throw new GraphException(
          Code.INVALID_VALUE,
          "'%s' takes %d bytes: more than a buffer can hold".formatted(name, bytes));
    }
    return bytes;
  }

  private static long stringBytes(String name, long elements, ByteBuffer rest) {
    int at = 0;
    for (long i = 0; i < elements; i++) {
      long length =
          rest.limit() - at < Integer.BYTES ? -1 : Integer.toUnsignedLong(rest.getInt(at));
      if (length < 0 || length > rest.limit() - at - Integer.BYTES) {
        throw new ProtocolException(
            ProtocolException.Code.INVALID_FRAME,
            "the body ends inside string %d of '%s'".formatted(i, name));
      }
      at += Integer.BYTES + (int) length;
    }
    return at;
  }

  /**
   * Returns the strings of a tensor.
   *
   * @throws GraphException {@code invalid_value} if one is not UTF-8; {@code unsupported_type} if
   *     the binding, which speaks modified UTF-8, would make another string of it
   */
  static String[] strings(String name, Value.Tensor tensor) {
    ByteBuffer in = tensor.data().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    List<String> strings = new ArrayList<>();
    while (in.hasRemaining()) {
      int length = in.getInt();
      strings.add(string(name, in.slice(in.position(), length)));
      in.position(in.position() + length);
    }
    return strings.toArray(String[]::new);
  }

  private static String string(String name, ByteBuffer utf8) {
    CharBuffer decoded;
    try {
      decoded = StandardCharsets.UTF_8.newDecoder().decode(utf8);
    } catch (CharacterCodingException e) {
      throw new GraphException(
          Code.INVALID_VALUE, "'%s' holds a string that is not UTF-8".formatted(name), e);
    }
    String string = decoded.toString();
    if (isChangedByTheBinding(string)) {
      throw new GraphException(
          Code.UNSUPPORTED_TYPE,
          "'%s' holds a string with NUL or a character beyond U+FFFF, which the Java binding of ONNX Runtime passes on as other bytes"
              .formatted(name));
    }
    return string;
  }

  /** Returns whether modified UTF-8, which the binding speaks, has other bytes for a string. */
  static boolean isChangedByTheBinding(String string) {
    return string.chars().anyMatch(c -> c == 0 || Character.isSurrogate((char) c));
  }

  /** Returns strings as a tensor's data. */
  static ByteBuffer data(Iterable<String> strings) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteBuffer length = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (String string : strings) {
      byte[] utf8 = string.getBytes(StandardCharsets.UTF_8);
      out.writeBytes(length.putInt(0, utf8.length).array());
      out.writeBytes(utf8);
    }
    return ByteBuffer.wrap(out.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
  }
}
