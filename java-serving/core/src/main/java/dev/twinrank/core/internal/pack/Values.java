package dev.twinrank.core.internal.pack;

import dev.twinrank.core.DType;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Feature;
import java.nio.CharBuffer;

/**
 * Converts one value to the bits of its column; the value rules of section 6. Not thread-safe.
 *
 * <p>Each method returns null and leaves the result in {@link #bits}, or returns what is wrong.
 */
public final class Values {
  private static final String NAN = "NaN";
  private static final String INFINITY = "Infinity";
  private static final String NEGATIVE_INFINITY = "-Infinity";

  private final KeyEncoder keys = new KeyEncoder();
  private long bits;

  /** Returns what makes the keys; whoever uses it leaves {@link #bits} as they were. */
  KeyEncoder keys() {
    return keys;
  }

  /** Returns the bits of the value that was converted last. */
  long bits() {
    return bits;
  }

  /** Converts an integer that already has a type. */
  public ErrorCode integer(Feature feature, long value) {
    return switch (feature.dtype()) {
      case INT64, TIMESTAMP -> accept(value);
      // The nearest float64 first, as for a literal; never straight to float32.
      case FLOAT32, FLOAT64 -> decimal(feature, (double) value);
      case BOOL, STRING -> ErrorCode.WRONG_TYPE;
    };
  }

  /** Converts a float that already has a type; NaN and the infinities are values here. */
  public ErrorCode decimal(Feature feature, double value) {
    if (feature.dtype().block() == DType.INT64) {
      return ErrorCode.WRONG_TYPE;
    }
    if (Double.isFinite(value)) {
      return finite(feature, value);
    }
    return feature.nonfinite() ? acceptFloat(feature, value) : ErrorCode.NON_FINITE;
  }

  /** Converts a boolean. */
  public ErrorCode bool(Feature feature, boolean value) {
    return feature.dtype() == DType.BOOL ? accept(value ? 1 : 0) : ErrorCode.WRONG_TYPE;
  }

  /** Converts a string. */
  public ErrorCode string(Feature feature, char[] chars, int offset, int length) {
    if (feature.dtype() == DType.STRING) {
      return keys.encode(chars, offset, length) ? accept(keys.key()) : ErrorCode.INVALID_STRING;
    }
    if (feature.dtype().block() == DType.INT64) {
      return ErrorCode.WRONG_TYPE;
    }
    return word(feature, CharBuffer.wrap(chars, offset, length));
  }

  /** Converts a string. */
  public ErrorCode string(Feature feature, String value) {
    if (feature.dtype() == DType.STRING) {
      return keys.encode(value) ? accept(keys.key()) : ErrorCode.INVALID_STRING;
    }
    return feature.dtype().block() == DType.INT64 ? ErrorCode.WRONG_TYPE : word(feature, value);
  }

  /** Converts one of the words that stand for a float which JSON cannot write. */
  private ErrorCode word(Feature feature, CharSequence word) {
    if (NAN.contentEquals(word)) {
      return decimal(feature, Double.NaN);
    }
    if (INFINITY.contentEquals(word)) {
      return decimal(feature, Double.POSITIVE_INFINITY);
    }
    return NEGATIVE_INFINITY.contentEquals(word)
        ? decimal(feature, Double.NEGATIVE_INFINITY)
        : ErrorCode.WRONG_TYPE;
  }

  /** Converts a number literal of RFC 8259. */
  public ErrorCode literal(Feature feature, boolean integer, char[] chars, int offset, int length) {
    return switch (feature.dtype()) {
      case INT64, TIMESTAMP -> integer ? wide(chars, offset, length) : ErrorCode.WRONG_TYPE;
      case FLOAT32, FLOAT64 ->
          finite(feature, Double.parseDouble(new String(chars, offset, length)));
      case BOOL, STRING -> ErrorCode.WRONG_TYPE;
    };
  }

  private ErrorCode wide(char[] chars, int offset, int length) {
    try {
      return accept(Long.parseLong(CharBuffer.wrap(chars, offset, length), 0, length, 10));
    } catch (NumberFormatException e) {
      // The literal is an integer already, so that its size is all that can be wrong.
      return ErrorCode.OUT_OF_RANGE;
    }
  }

  /** Takes a number whose source is finite, so that an infinity can only be an overflow. */
  private ErrorCode finite(Feature feature, double value) {
    boolean overflow =
        Double.isInfinite(value)
            || (feature.dtype() == DType.FLOAT32 && Float.isInfinite((float) value));
    return overflow ? ErrorCode.OUT_OF_RANGE : acceptFloat(feature, value);
  }

  private ErrorCode acceptFloat(Feature feature, double value) {
    // floatToIntBits and doubleToLongBits give the quiet NaN with sign and payload zero.
    return accept(
        feature.dtype() == DType.FLOAT32
            ? Float.floatToIntBits((float) value)
            : Double.doubleToLongBits(value));
  }

  private ErrorCode accept(long value) {
    bits = value;
    return null;
  }
}
