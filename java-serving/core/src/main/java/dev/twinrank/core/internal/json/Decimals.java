package dev.twinrank.core.internal.json;

import java.math.BigInteger;

/**
 * Turns decimal digits and an exponent into the nearest float64, ties to even.
 *
 * <p>First what is exact in one step (W. D. Clinger, 1990), then a product of 128 bits that is
 * enough for all but a few (D. Lemire, "Number parsing at a gigabyte per second", 2021).
 */
final class Decimals {
  private static final double[] EXACT_POWERS = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22
  };
  private static final long LARGEST_EXACT = 1L << 53;
  private static final int SMALLEST_POWER = -308;
  private static final int LARGEST_POWER = 288;
  private static final int FRACTION_BITS = 52;
  private static final int BIAS = 1023;
  private static final int NONE = -1;

  /** The upper 128 bits of each 5^q, of its reciprocal where q < 0; the high word first. */
  private static final long[] FIVES = fives();

  private Decimals() {}

  /**
   * Returns the float64 nearest to {@code digits · 10^exponent}, or a negative number if this does
   * not know it.
   *
   * @param digits unsigned
   */
  static double nearest(long digits, int exponent) {
    if (digits >= 0 && digits <= LARGEST_EXACT && exponent >= -22 && exponent <= 22) {
      return exponent < 0 ? digits / EXACT_POWERS[-exponent] : digits * EXACT_POWERS[exponent];
    }
    if (digits == 0) {
      return 0;
    }
    return exponent < SMALLEST_POWER || exponent > LARGEST_POWER ? NONE : product(digits, exponent);
  }

  private static double product(long digits, int exponent) {
    int zeros = Long.numberOfLeadingZeros(digits);
    long normal = digits << zeros;
    int entry = 2 * (exponent - SMALLEST_POWER);
    long high = unsignedHigh(normal, FIVES[entry]);
    long low = normal * FIVES[entry];
    // The lower half of the power matters only where it could carry into what is looked at.
    if ((high & 0x1FF) == 0x1FF) {
      long more = unsignedHigh(normal, FIVES[entry + 1]);
      low += more;
      if (Long.compareUnsigned(low, more) < 0) {
        high++;
      }
    }
    if (low == -1L && (exponent < -27 || exponent > 55)) {
      return NONE;
    }
    int top = (int) (high >>> 63);
    long mantissa = high >>> (top + 9);
    // 152170 + 65536 is log2(10) in 16 bits; exact for all of these exponents.
    int power = (((152170 + 65536) * exponent) >> 16) + 63 + top - zeros + BIAS;
    if (power <= 0 || power >= 2 * BIAS) {
      return NONE; // subnormal, or near the largest: rare enough for the slow way
    }
    // Halfway between two, to the bit: round to even, not up.
    if (Long.compareUnsigned(low, 1) <= 0
        && exponent >= -4
        && exponent <= 23
        && (mantissa & 3) == 1
        && mantissa << (top + 9) == high) {
      mantissa &= ~1L;
    }
    mantissa = (mantissa + (mantissa & 1)) >>> 1;
    if (mantissa == 1L << (FRACTION_BITS + 1)) {
      mantissa = 1L << FRACTION_BITS;
      power++;
    }
    long fraction = mantissa & ((1L << FRACTION_BITS) - 1);
    return Double.longBitsToDouble(((long) power << FRACTION_BITS) | fraction);
  }

  private static long unsignedHigh(long a, long b) {
    return Math.multiplyHigh(a, b) + ((a >> 63) & b) + ((b >> 63) & a);
  }

  private static long[] fives() {
    long[] words = new long[2 * (LARGEST_POWER - SMALLEST_POWER + 1)];
    for (int power = SMALLEST_POWER; power <= LARGEST_POWER; power++) {
      BigInteger five = BigInteger.valueOf(5).pow(Math.abs(power));
      BigInteger upper;
      if (power >= 0) {
        int excess = five.bitLength() - 128;
        upper = excess > 0 ? five.shiftRight(excess) : five.shiftLeft(-excess);
      } else {
        int bits = power >= -27 ? five.bitLength() + 127 : 2 * five.bitLength() + 128;
        upper = BigInteger.ONE.shiftLeft(bits).divide(five).add(BigInteger.ONE);
        upper = upper.shiftRight(upper.bitLength() - 128);
      }
      int entry = 2 * (power - SMALLEST_POWER);
      words[entry] = upper.shiftRight(64).longValue();
      words[entry + 1] = upper.longValue();
    }
    return words;
  }
}
