package dev.twinrank.core.internal.proto;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads one message field by field, without recursion and without copying. Not thread-safe.
 *
 * <p>Groups, field number 0, varints that are longer than they need to be and lengths beyond the
 * message are refused.
 */
public final class ProtoReader {
  /** The wire type of integers and enums. */
  public static final int VARINT = 0;

  /** The wire type of doubles. */
  public static final int FIXED64 = 1;

  /** The wire type of strings, bytes, messages and packed numbers. */
  public static final int BYTES = 2;

  /** The wire type of floats. */
  public static final int FIXED32 = 5;

  private final String message;
  private final ByteBuffer in;
  private final Set<Integer> seen = new HashSet<>();
  private int field;
  private int wire;
  private boolean pending;

  /** Reads a message; the name is for errors. */
  public ProtoReader(String message, ByteBuffer bytes) {
    this.message = message;
    this.in = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Goes to the next field, past the value of the last one if that was not read. */
  public boolean next() {
    if (pending) {
      skip();
    }
    if (!in.hasRemaining()) {
      return false;
    }
    long tag = readVarint();
    field = (int) (tag >>> 3);
    wire = (int) (tag & 7);
    if (tag >>> 3 < 1 || tag >>> 32 != 0 || wire == 3 || wire == 4 || wire > 5) {
      throw invalid("has the tag " + Long.toUnsignedString(tag) + ", which no such message has");
    }
    pending = true;
    return true;
  }

  /** Returns the number of the field. */
  public int field() {
    return field;
  }

  /** Refuses a second occurrence of a field that may occur once: readers would merge them. */
  public ProtoReader once() {
    if (!seen.add(field)) {
      throw invalid("has field " + field + " twice");
    }
    return this;
  }

  /** Reads packed varints to their end. */
  public static List<Long> varints(String message, ByteBuffer packed) {
    ProtoReader reader = new ProtoReader(message, packed);
    List<Long> values = new ArrayList<>();
    while (reader.in.hasRemaining()) {
      values.add(reader.readVarint());
    }
    return values;
  }

  /** Reads a varint. */
  public long varint() {
    expect(VARINT);
    return readVarint();
  }

  /**
   * Reads one number of a wire type, or packed ones, without keeping them.
   *
   * @return how many there were
   */
  public long numbers(int expected) {
    if (wire != BYTES) {
      expect(expected);
      pending = true;
      skip();
      return 1;
    }
    ByteBuffer packed = bytes();
    if (expected == VARINT) {
      ProtoReader values = new ProtoReader(message, packed);
      long count = 0;
      while (values.in.hasRemaining()) {
        values.readVarint();
        count++;
      }
      return count;
    }
    if (packed.remaining() % width(expected) != 0) {
      throw invalid("has packed numbers in field " + field + " that end within one");
    }
    return packed.remaining() / width(expected);
  }

  /** Reads one number of a fixed width, or packed ones: a little-endian view of their bytes. */
  public ByteBuffer fixed(int expected) {
    if (wire == BYTES) {
      ByteBuffer packed = bytes();
      if (packed.remaining() % width(expected) != 0) {
        throw invalid("has packed numbers in field " + field + " that end within one");
      }
      return packed;
    }
    expect(expected);
    int from = in.position();
    advance(width(expected));
    return in.slice(from, width(expected)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Reads bytes: a little-endian view of them. */
  public ByteBuffer bytes() {
    expect(BYTES);
    return slice();
  }

  /** Reads a string. */
  public String string() {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes()).toString();
    } catch (CharacterCodingException e) {
      throw invalid("has a string in field " + field + " that is not UTF-8");
    }
  }

  /** Returns the wire type of the field. */
  public int wire() {
    return wire;
  }

  /** Returns what a caller throws who cannot use what it read. */
  public InvalidProto invalid(String what) {
    return new InvalidProto(message + " " + what);
  }

  private void expect(int expected) {
    if (wire != expected) {
      throw invalid(
          "has wire type " + wire + " in field " + field + "; wire type " + expected + " is right");
    }
    pending = false;
  }

  private void skip() {
    pending = false;
    switch (wire) {
      case VARINT -> readVarint();
      case BYTES -> slice();
      default -> advance(width(wire));
    }
  }

  private static int width(int wire) {
    return wire == FIXED64 ? Long.BYTES : Integer.BYTES;
  }

  private ByteBuffer slice() {
    long length = readVarint();
    if (length < 0 || length > in.remaining()) {
      throw invalid(
          "has "
              + Long.toUnsignedString(length)
              + " bytes in field "
              + field
              + ", but only "
              + in.remaining()
              + " are left");
    }
    ByteBuffer slice = in.slice(in.position(), (int) length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + (int) length);
    return slice;
  }

  private void advance(int bytes) {
    if (bytes > in.remaining()) {
      throw invalid("ends within field " + field);
    }
    in.position(in.position() + bytes);
  }

  private long readVarint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (!in.hasRemaining()) {
        throw invalid("ends within a varint");
      }
      byte next = in.get();
      if (shift == 63 && next > 1) {
        throw invalid("has a varint of more than 64 bits");
      }
      value |= (long) (next & 0x7F) << shift;
      if (next >= 0) {
        if (next == 0 && shift > 0) {
          throw invalid("has a varint that is longer than it needs to be");
        }
        return value;
      }
    }
    throw invalid("has a varint of more than ten bytes");
  }
}
