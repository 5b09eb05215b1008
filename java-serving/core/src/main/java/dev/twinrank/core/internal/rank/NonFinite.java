package dev.twinrank.core.internal.rank;

import dev.twinrank.core.DType;
import java.nio.ByteBuffer;

/** Finds NaN and the infinities among the values of an output. */
public final class NonFinite {
  private static final long EXPONENT_32 = 0x7f80_0000_7f80_0000L;
  private static final long CARRY_32 = 0x0080_0000_0080_0000L;
  private static final long SIGN_32 = 0x8000_0000_8000_0000L;
  private static final long EXPONENT_64 = 0x7ff0_0000_0000_0000L;

  private NonFinite() {}

  /**
   * Returns whether a value is NaN or infinite. Allocates nothing.
   *
   * @param values float32 or float64 from 0 to the limit, in a buffer whose order is little-endian
   */
  public static boolean any(ByteBuffer values, DType dtype) {
    int end = values.limit();
    if (dtype == DType.FLOAT64) {
      return count64(values, end) != 0;
    }
    // Two at a time: adding 1 to an exponent of all ones carries into the sign's place, and no
    // further.
    int even = end & -Long.BYTES;
    long seen = 0;
    for (int at = 0; at < even; at += Long.BYTES) {
      seen |= (values.getLong(at) & EXPONENT_32) + CARRY_32;
    }
    return (seen & SIGN_32) != 0
        || (even < end && !Float.isFinite(Float.intBitsToFloat(values.getInt(even))));
  }

  /** Returns how many values are NaN or infinite; see {@link #any}. */
  public static int count(ByteBuffer values, DType dtype) {
    int end = values.limit();
    if (dtype == DType.FLOAT64) {
      return count64(values, end);
    }
    int found = 0;
    for (int at = 0; at < end; at += Float.BYTES) {
      found += Float.isFinite(Float.intBitsToFloat(values.getInt(at))) ? 0 : 1;
    }
    return found;
  }

  /** Returns how many values are NaN; see {@link #any}. */
  public static int nans(ByteBuffer values, DType dtype) {
    int found = 0;
    for (int at = 0; at < values.limit(); at += dtype.width()) {
      found +=
          dtype == DType.FLOAT64
              ? (Double.isNaN(Double.longBitsToDouble(values.getLong(at))) ? 1 : 0)
              : (Float.isNaN(Float.intBitsToFloat(values.getInt(at))) ? 1 : 0);
    }
    return found;
  }

  private static int count64(ByteBuffer values, int end) {
    int found = 0;
    for (int at = 0; at < end; at += Long.BYTES) {
      found += (values.getLong(at) & EXPONENT_64) == EXPONENT_64 ? 1 : 0;
    }
    return found;
  }
}
