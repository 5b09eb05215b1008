package dev.twinrank.server.oip;

import dev.twinrank.core.DType;
import java.util.Arrays;
import java.util.Optional;

/** The protocol's types of tensor elements. */
public enum Datatype {
  BOOL(1, Kind.BOOL),
  UINT8(1, Kind.UNSIGNED),
  UINT16(2, Kind.UNSIGNED),
  UINT32(4, Kind.UNSIGNED),
  UINT64(8, Kind.UNSIGNED),
  INT8(1, Kind.SIGNED),
  INT16(2, Kind.SIGNED),
  INT32(4, Kind.SIGNED),
  INT64(8, Kind.SIGNED),
  FP16(2, Kind.FLOAT),
  FP32(4, Kind.FLOAT),
  FP64(8, Kind.FLOAT),
  /** Byte strings, each of its own length. */
  BYTES(0, Kind.BYTES),
  /** The upper half of an FP32. */
  BF16(2, Kind.FLOAT);

  /** What the elements are. */
  public enum Kind {
    BOOL,
    SIGNED,
    UNSIGNED,
    FLOAT,
    BYTES;

    /** Returns whether they are integers. */
    public boolean integer() {
      return this == SIGNED || this == UNSIGNED;
    }
  }

  private final int width;
  private final Kind kind;

  Datatype(int width, Kind kind) {
    this.width = width;
    this.kind = kind;
  }

  /** Returns how many bytes an element takes; 0 for {@link #BYTES}. */
  public int width() {
    return width;
  }

  /** Returns what the elements are. */
  public Kind kind() {
    return kind;
  }

  /** Returns the type of that name; empty if there is none. */
  public static Optional<Datatype> find(String name) {
    return Arrays.stream(values()).filter(each -> each.name().equals(name)).findFirst();
  }

  /** Returns the type that a model's own values have. */
  public static Datatype of(DType dtype) {
    return switch (dtype) {
      case FLOAT32 -> FP32;
      case FLOAT64 -> FP64;
      case INT64, TIMESTAMP -> INT64;
      case BOOL -> BOOL;
      case STRING -> BYTES;
    };
  }
}
