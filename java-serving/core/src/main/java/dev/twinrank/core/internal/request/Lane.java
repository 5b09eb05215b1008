package dev.twinrank.core.internal.request;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.json.JsonBytes;
import dev.twinrank.core.internal.json.NamePattern;
import dev.twinrank.core.internal.pack.Slot;

/** One feature: how its values are read, and where they go. Immutable. */
final class Lane {
  private static final int NONE = -1;

  final Slot slot;
  final NamePattern name;
  final int index;
  final int block;
  final boolean narrow;
  final boolean sequence;
  final int maxLength;
  final int exactLength;
  final boolean keepsLast;
  final boolean refusesMissing;
  final int group;
  final int elementBytes;
  final int valueAt;
  final int lengthAt;
  final int stateAt;
  private final DType dtype;
  private final boolean nonfinite;

  Lane(Slot slot) {
    this.slot = slot;
    this.name = new NamePattern(slot.feature().name());
    this.index = slot.index();
    this.block = slot.block();
    this.narrow = slot.narrow();
    this.sequence = slot.sequence();
    this.maxLength = slot.maxLength();
    this.exactLength = slot.exactLength();
    this.keepsLast = slot.keepsLast();
    this.refusesMissing = slot.refusesMissing();
    this.group = slot.group();
    this.elementBytes = slot.elementBytes();
    this.valueAt = slot.valueAt(0);
    this.lengthAt = slot.length() < 0 ? NONE : slot.countAt(0, slot.length());
    this.stateAt = slot.state() < 0 ? NONE : slot.countAt(0, slot.state());
    this.dtype = slot.feature().dtype();
    this.nonfinite = slot.feature().nonfinite();
  }

  /** Takes a value, which is then {@link JsonBytes#bits}: those of the column, or of a float64. */
  boolean take(JsonBytes json) {
    return switch (dtype) {
      case STRING -> json.takeKey();
      case INT64, TIMESTAMP -> json.takeInteger();
      case BOOL -> json.takeBool();
      case FLOAT32, FLOAT64 ->
          json.isString() ? nonfinite && json.takeNonFinite() : json.takeDecimal();
    };
  }

  /** Returns whether a float64 fits in the column; only an infinity that was given is one. */
  boolean fits(double value) {
    return Double.isInfinite(value) || !Float.isInfinite((float) value);
  }
}
