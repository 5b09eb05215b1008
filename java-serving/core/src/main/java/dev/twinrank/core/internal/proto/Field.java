package dev.twinrank.core.internal.proto;

import java.util.Map;
import java.util.Optional;

/**
 * What onnx.proto says of one field.
 *
 * @param name its name
 * @param kind a scalar type of protobuf, or the name of a message
 * @param wire the wire type of one value
 * @param repeated whether it may occur more than once
 * @param oneof what it shares with the fields that exclude it, if there are any
 * @param most of an enum, its largest number; −1 for every other field
 */
record Field(
    String name, String kind, int wire, boolean repeated, Optional<String> oneof, long most) {
  private static final String TEXT = "string";
  private static final String ANY_BYTES = "bytes";
  private static final String ENUM = "enum";
  private static final String INT32 = "int32";

  static Field of(Map<?, ?> entry) {
    String kind = (String) entry.get("kind");
    Object most = entry.get("most");
    return new Field(
        (String) entry.get("name"),
        kind,
        wire(kind),
        Boolean.TRUE.equals(entry.get("repeated")),
        Optional.ofNullable((String) entry.get("oneof")),
        most == null ? -1 : Long.parseLong(most.toString()));
  }

  private static int wire(String kind) {
    return switch (kind) {
      case "int64", INT32, "uint64", ENUM -> ProtoReader.VARINT;
      case "float" -> ProtoReader.FIXED32;
      case "double" -> ProtoReader.FIXED64;
      default -> ProtoReader.BYTES;
    };
  }

  /** Returns whether several values may stand in one block of bytes. */
  boolean packable() {
    return repeated && wire != ProtoReader.BYTES;
  }

  boolean isText() {
    return kind.equals(TEXT);
  }

  boolean isMessage() {
    return wire == ProtoReader.BYTES && !isText() && !kind.equals(ANY_BYTES);
  }

  /** Returns whether parsers keep the lower 32 bits of what is written. */
  boolean isCut() {
    return kind.equals(INT32) || kind.equals(ENUM);
  }
}
