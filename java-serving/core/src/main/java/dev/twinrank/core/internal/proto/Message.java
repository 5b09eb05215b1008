package dev.twinrank.core.internal.proto;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A message of onnx.proto, read to its last byte with every message inside it. Not thread-safe.
 *
 * <p>Parsers merge what occurs twice and skip what they do not know, each in its own way; here both
 * are refused. Bytes stay where they are; of repeated numbers only is known how many there are.
 */
final class Message {
  private static final int MAX_DEPTH = 64;
  private static final Message NONE = new Message();

  private final Map<String, List<Object>> values = new HashMap<>();

  private Message() {}

  /**
   * Reads a message.
   *
   * @param kind its name in the contract's table
   * @throws InvalidProto if the bytes are not one such message
   */
  static Message read(String kind, ByteBuffer bytes) {
    return read(kind, bytes, 1);
  }

  private static Message read(String kind, ByteBuffer bytes, int depth) {
    ProtoReader in = new ProtoReader(kind, bytes);
    if (depth > MAX_DEPTH) {
      throw in.invalid("nests messages deeper than " + MAX_DEPTH);
    }
    Message message = new Message();
    Map<Integer, Field> fields = OnnxMessages.shipped().fields(kind);
    Set<String> oneofs = new HashSet<>();
    while (in.next()) {
      Field field = fields.get(in.field());
      if (field == null) {
        throw in.invalid("has field " + in.field() + ", which it does not know");
      }
      boolean twice = !field.repeated() && message.values.containsKey(field.name());
      if (twice || (field.oneof().isPresent() && !oneofs.add(field.oneof().get()))) {
        throw in.invalid(
            "has " + field.oneof().orElse(field.name()) + " twice; parsers would merge or choose");
      }
      message
          .values
          .computeIfAbsent(field.name(), name -> new ArrayList<>())
          .add(field.packable() ? in.numbers(field.wire()) : value(in, field, depth));
    }
    return message;
  }

  private static Object value(ProtoReader in, Field field, int depth) {
    if (field.isMessage()) {
      return read(field.kind(), in.bytes(), depth + 1);
    }
    if (field.isText()) {
      return in.string();
    }
    return switch (field.wire()) {
      case ProtoReader.BYTES -> in.bytes();
      case ProtoReader.VARINT -> integer(in, field);
      default -> in.numbers(field.wire());
    };
  }

  private static long integer(ProtoReader in, Field field) {
    long value = in.varint();
    if (field.isCut() && value != (int) value) {
      throw in.invalid(
          "has " + value + " in " + field.name() + ", which holds 32 bits; parsers would cut it");
    }
    if (field.most() >= 0 && (value < 0 || value > field.most())) {
      throw in.invalid(
          "has " + value + " in " + field.name() + "; its largest number is " + field.most());
    }
    return value;
  }

  boolean has(String field) {
    return values.containsKey(field);
  }

  /** Returns whether a field holds anything: bytes, or numbers of a repeated field. */
  boolean holds(String field) {
    for (Object value : values.getOrDefault(field, List.of())) {
      if (value instanceof ByteBuffer bytes ? bytes.hasRemaining() : !value.equals(0L)) {
        return true;
      }
    }
    return false;
  }

  /** Returns how many values a repeated field holds. */
  long count(String field) {
    long count = 0;
    for (Object value : values.getOrDefault(field, List.of())) {
      count += value instanceof Long numbers ? numbers : 1;
    }
    return count;
  }

  /** Returns the size of a singular field of bytes; 0 if it is not there. */
  int bytes(String field) {
    return has(field) ? ((ByteBuffer) values.get(field).get(0)).remaining() : 0;
  }

  long number(String field, long otherwise) {
    return has(field) ? (Long) values.get(field).get(0) : otherwise;
  }

  String text(String field) {
    return has(field) ? (String) values.get(field).get(0) : "";
  }

  List<String> texts(String field) {
    return values.getOrDefault(field, List.of()).stream().map(String.class::cast).toList();
  }

  /** Returns a singular message; an empty one if there is none. */
  Message message(String field) {
    return has(field) ? (Message) values.get(field).get(0) : NONE;
  }

  List<Message> messages(String field) {
    return values.getOrDefault(field, List.of()).stream().map(Message.class::cast).toList();
  }
}
