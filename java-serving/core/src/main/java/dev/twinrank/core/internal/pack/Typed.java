package dev.twinrank.core.internal.pack;

import java.util.List;
import java.util.Objects;

/** A value that already has a type, on its way into a packer. */
public final class Typed {
  /** A scalar, or the element at an index. */
  private interface Item {
    void giveTo(ObjectPacker target, int index);
  }

  private static final int SCALAR = -1;
  private static final Typed MISSING = new Typed(0, null);

  private final int length;
  private final Item item;

  private Typed(int length, Item item) {
    this.length = length;
    this.item = item;
  }

  /** Returns an integer. */
  public static Typed of(long value) {
    return new Typed(SCALAR, (target, index) -> target.integer(value));
  }

  /** Returns a float. */
  public static Typed of(double value) {
    return new Typed(SCALAR, (target, index) -> target.decimal(value));
  }

  /** Returns a boolean. */
  public static Typed of(boolean value) {
    return new Typed(SCALAR, (target, index) -> target.bool(value));
  }

  /** Returns a string; null is missing. */
  public static Typed of(String value) {
    return value == null ? MISSING : new Typed(SCALAR, (target, index) -> string(target, value));
  }

  /** Returns integers; null is missing. */
  public static Typed of(long[] values) {
    return values == null
        ? MISSING
        : new Typed(values.length, (target, index) -> target.integer(values[index]));
  }

  /** Returns floats; null is missing. */
  public static Typed of(double[] values) {
    return values == null
        ? MISSING
        : new Typed(values.length, (target, index) -> target.decimal(values[index]));
  }

  /** Returns floats, widened exactly; null is missing. */
  public static Typed of(float[] values) {
    return values == null
        ? MISSING
        : new Typed(values.length, (target, index) -> target.decimal(values[index]));
  }

  /** Returns booleans; null is missing. */
  public static Typed of(boolean[] values) {
    return values == null
        ? MISSING
        : new Typed(values.length, (target, index) -> target.bool(values[index]));
  }

  /** Returns strings; null is missing, but a null among them is of the wrong type. */
  public static Typed of(List<String> values) {
    return values == null
        ? MISSING
        : new Typed(values.size(), (target, index) -> string(target, values.get(index)));
  }

  /**
   * Gives this value to a feature of the object that the packer is at.
   *
   * @throws IllegalArgumentException if the feature already has a value
   */
  public void giveTo(ObjectPacker target, String feature) {
    target.feature(Objects.requireNonNull(feature, "feature"));
    if (target.isGiven()) {
      throw new IllegalArgumentException("feature '" + feature + "' was given a value before");
    }
    if (item == null) {
      return;
    }
    if (target.isSequence() && length == SCALAR) {
      target.wrongType("a single value");
    } else if (!target.isSequence() && length != SCALAR) {
      target.wrongType("an array of " + length);
    } else if (!target.isSequence()) {
      item.giveTo(target, 0);
    } else {
      target.beginElements();
      for (int i = 0; i < length; i++) {
        item.giveTo(target, i);
      }
      target.endElements();
    }
  }

  private static void string(ObjectPacker target, String value) {
    if (value == null) {
      target.wrongType("null");
    } else {
      target.string(value);
    }
  }
}
