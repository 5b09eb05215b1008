package dev.twinrank.server.oip;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The JSON data of one tensor, flat or nested, on their way to binary form. Not thread-safe, used
 * once.
 */
final class TensorData {
  private static final BigInteger TWO_TO_64 = BigInteger.ONE.shiftLeft(64);
  private static final int LEAST = 64;

  private final String name;
  private final Datatype datatype;
  private ByteBuffer out;
  private int elements;
  // How many elements the arrays of each depth have, once one has ended.
  private final List<Long> sizes = new ArrayList<>();
  private int leaves = -1;

  /**
   * Begins.
   *
   * @param expected how many elements there may be; more and fewer are taken
   */
  TensorData(String name, Datatype datatype, int expected) {
    this.name = name;
    this.datatype = datatype;
    int width = datatype == Datatype.BYTES ? 2 * Integer.BYTES : datatype.width();
    long bytes = Math.min((long) expected * width, Integer.MAX_VALUE - 8);
    this.out = ByteBuffer.allocate((int) Math.max(bytes, LEAST)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Reads the array that the parser has just entered, to its end. */
  TensorData read(JsonParser json) throws IOException {
    array(json, 1);
    return this;
  }

  /**
   * Returns the tensor.
   *
   * @throws dev.twinrank.server.problem.Refusal {@code invalid_tensor} if the data do not fit it
   */
  Tensor tensor(long[] shape) {
    boolean flat = sizes.size() <= 1;
    boolean fits = flat || sizes.size() == shape.length;
    long expected = 1;
    for (int i = 0; i < shape.length; i++) {
      fits = fits && (flat || sizes.get(i) == shape[i]);
      // Bounded, so that it cannot overflow; more than there can be elements.
      expected = Math.min(expected, Integer.MAX_VALUE) * Math.min(shape[i], Integer.MAX_VALUE);
    }
    if (!fits || expected != elements) {
      throw OipProblems.tensor(
          name,
          flat
              ? "has %d elements of data, but the shape %s"
                  .formatted(elements, Arrays.toString(shape))
              : "has data nested as %s, but the shape %s; nest them so, or send them flat"
                  .formatted(sizes, Arrays.toString(shape)));
    }
    return Tensor.of(name, datatype, shape, out.flip());
  }

  private void array(JsonParser json, int depth) throws IOException {
    while (sizes.size() < depth) {
      sizes.add(null);
    }
    long count = 0;
    for (JsonToken token = json.nextToken();
        token != JsonToken.END_ARRAY;
        token = json.nextToken()) {
      if (token == JsonToken.START_ARRAY) {
        if (leaves == depth) {
          throw uneven();
        }
        array(json, depth + 1);
      } else {
        if (leaves != depth) {
          if (leaves >= 0 || sizes.size() > depth) {
            throw uneven();
          }
          leaves = depth;
        }
        element(json, token);
        elements++;
      }
      count++;
    }
    Long before = sizes.set(depth - 1, count);
    if (before != null && before != count) {
      throw OipProblems.tensor(
          name,
          "has arrays of %d and of %d elements side by side; the arrays of one depth have one"
                  .formatted(before, count)
              + " length");
    }
  }

  private RuntimeException uneven() {
    return OipProblems.tensor(name, "has arrays and elements side by side; nest all alike");
  }

  private void element(JsonParser json, JsonToken token) throws IOException {
    switch (datatype.kind()) {
      case BOOL -> {
        if (token != JsonToken.VALUE_TRUE && token != JsonToken.VALUE_FALSE) {
          throw wrong(json, "true or false");
        }
        room(1).put((byte) (token == JsonToken.VALUE_TRUE ? 1 : 0));
      }
      case SIGNED, UNSIGNED -> integer(json, token);
      case FLOAT -> decimal(json, token);
      case BYTES -> string(json, token);
    }
  }

  private void integer(JsonParser json, JsonToken token) throws IOException {
    if (token != JsonToken.VALUE_NUMBER_INT) {
      throw wrong(json, "an integer");
    }
    int bits = 8 * datatype.width();
    boolean signed = datatype.kind() == Datatype.Kind.SIGNED;
    long value;
    if (json.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      BigInteger big = json.getBigIntegerValue();
      if (datatype != Datatype.UINT64 || big.signum() < 0 || big.compareTo(TWO_TO_64) >= 0) {
        throw beyond(json);
      }
      value = big.longValue();
    } else {
      value = json.getLongValue();
      long rest = signed ? value >> (bits - 1) : bits == 64 ? value >> 63 : value >> bits;
      if (rest != 0 && !(signed && rest == -1)) {
        throw beyond(json);
      }
    }
    switch (datatype.width()) {
      case 1 -> room(1).put((byte) value);
      case 2 -> room(2).putShort((short) value);
      case 4 -> room(4).putInt((int) value);
      default -> room(8).putLong(value);
    }
  }

  private void decimal(JsonParser json, JsonToken token) throws IOException {
    double value;
    boolean finite = true;
    if (token == JsonToken.VALUE_NUMBER_FLOAT) {
      value = json.getDoubleValue();
    } else if (token == JsonToken.VALUE_NUMBER_INT) {
      value = json.getDoubleValue();
      if (value == 0 && json.getTextCharacters()[json.getTextOffset()] == '-') {
        value = -0.0;
      }
    } else if (token == JsonToken.VALUE_STRING) {
      value =
          switch (json.getText()) {
            case "NaN" -> Double.NaN;
            case "Infinity" -> Double.POSITIVE_INFINITY;
            case "-Infinity" -> Double.NEGATIVE_INFINITY;
            default -> throw wrong(json, "a number, or 'NaN', 'Infinity' or '-Infinity'");
          };
      finite = false;
    } else {
      throw wrong(json, "a number, or 'NaN', 'Infinity' or '-Infinity'");
    }
    double stored =
        switch (datatype) {
          case FP64 -> value;
          case FP32 -> (float) value;
          case FP16 -> Halves.HALF.widen(Halves.HALF.narrow(value));
          default -> Halves.BFLOAT.widen(Halves.BFLOAT.narrow(value));
        };
    if (finite && Double.isInfinite(stored)) {
      throw beyond(json);
    }
    switch (datatype) {
      case FP64 -> room(8).putDouble(stored);
      case FP32 -> room(4).putFloat((float) stored);
      case FP16 -> room(2).putShort(Halves.HALF.narrow(stored));
      default -> room(2).putShort(Halves.BFLOAT.narrow(stored));
    }
  }

  /** A lone surrogate becomes its three bytes, which are no UTF-8: the feature says what then. */
  private void string(JsonParser json, JsonToken token) throws IOException {
    if (token != JsonToken.VALUE_STRING) {
      throw wrong(json, "a string");
    }
    char[] chars = json.getTextCharacters();
    int from = json.getTextOffset();
    int end = from + json.getTextLength();
    ByteBuffer to = room(Math.addExact(Integer.BYTES, Math.multiplyExact(3, end - from)));
    int start = to.position();
    to.putInt(0);
    for (int i = from; i < end; i++) {
      char c = chars[i];
      if (c < 0x80) {
        to.put((byte) c);
      } else if (c < 0x800) {
        to.put((byte) (0xc0 | c >> 6)).put((byte) (0x80 | (c & 0x3f)));
      } else if (i + 1 < end && Character.isSurrogatePair(c, chars[i + 1])) {
        int point = Character.toCodePoint(c, chars[++i]);
        to.put((byte) (0xf0 | point >> 18))
            .put((byte) (0x80 | (point >> 12 & 0x3f)))
            .put((byte) (0x80 | (point >> 6 & 0x3f)))
            .put((byte) (0x80 | (point & 0x3f)));
      } else {
        to.put((byte) (0xe0 | c >> 12))
            .put((byte) (0x80 | (c >> 6 & 0x3f)))
            .put((byte) (0x80 | (c & 0x3f)));
      }
    }
    to.putInt(start, to.position() - start - Integer.BYTES);
  }

  private ByteBuffer room(int bytes) {
    if (out.remaining() < bytes) {
      long size = Math.max(2L * out.capacity(), (long) out.position() + bytes);
      if ((long) out.position() + bytes > Integer.MAX_VALUE - 8) {
        throw OipProblems.tensor(name, "has more data than one tensor can hold");
      }
      out =
          ByteBuffer.allocate((int) Math.min(size, Integer.MAX_VALUE - 8))
              .order(ByteOrder.LITTLE_ENDIAN)
              .put(out.flip());
    }
    return out;
  }

  private RuntimeException wrong(JsonParser json, String allowed) throws IOException {
    return OipProblems.tensor(
        name,
        "has %s as element %d; %s takes %s"
            .formatted(OipProblems.quoted(json.getText()), elements, datatype, allowed));
  }

  private RuntimeException beyond(JsonParser json) throws IOException {
    return OipProblems.tensor(
        name,
        "has %s as element %d, which %s cannot hold"
            .formatted(OipProblems.quoted(json.getText()), elements, datatype));
  }
}
