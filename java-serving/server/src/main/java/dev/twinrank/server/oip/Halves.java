package dev.twinrank.server.oip;

/**
 * The floats of 16 bits, as IEEE 754 and its kin write them: a sign, an exponent and a fraction.
 * Immutable and thread-safe.
 */
enum Halves {
  /** IEEE binary16. */
  HALF(10),
  /** The upper half of a binary32. */
  BFLOAT(7);

  private final int fraction;
  private final int bias;

  Halves(int fraction) {
    this.fraction = fraction;
    this.bias = (1 << (14 - fraction)) - 1;
  }

  /** Returns the value of these bits. */
  double widen(short bits) {
    int exponent = (bits & 0x7fff) >>> fraction;
    int rest = bits & ((1 << fraction) - 1);
    double size;
    if (exponent == 2 * bias + 1) {
      size = rest == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    } else if (exponent == 0) {
      size = Math.scalb((double) rest, 1 - bias - fraction);
    } else {
      size = Math.scalb((double) (rest + (1 << fraction)), exponent - bias - fraction);
    }
    return bits < 0 ? -size : size;
  }

  /**
   * Returns the bits of the nearest value, ties to even; beyond the largest, those of an infinity.
   */
  short narrow(double value) {
    int sign = Double.doubleToRawLongBits(value) < 0 ? 0x8000 : 0;
    double size = Math.abs(value);
    int top = (2 * bias + 1) << fraction;
    if (Double.isNaN(size)) {
      return (short) (top | 1 << (fraction - 1));
    }
    if (Double.isInfinite(size)) {
      return (short) (sign | top);
    }
    // In units of the last place at its size both are exact, and rint() rounds ties to even. The
    // carry of a rounding into the next binade is the carry into the exponent's bits.
    int exponent = Math.max(Math.getExponent(size), 1 - bias);
    if (exponent > bias) {
      return (short) (sign | top);
    }
    long units = (long) Math.rint(Math.scalb(size, fraction - exponent));
    return (short) (sign | (int) (units + ((long) (exponent + bias - 1) << fraction)));
  }
}
