package dev.twinrank.core.internal.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The referee is the JDK's own reading of the same literal. */
class DecimalsTest {
  private static final int CASES = 100_000;

  @Test
  void givesTheNearestForAnyDigitsAndExponent() {
    Random random = new Random(11);
    int known = 0;
    for (int i = 0; i < CASES; i++) {
      // At most nineteen digits, as many as JsonBytes gives it.
      long digits =
          Long.remainderUnsigned(random.nextLong(), -8446744073709551616L) >>> random.nextInt(64);
      known += check(digits, random.nextInt(700) - 350) ? 1 : 0;
      known += check(digits, random.nextInt(60) - 40) ? 1 : 0;
    }
    // What it does not know is subnormal, huge, or asks for more than 128 bits.
    assertTrue(known > 1.8 * CASES, known + " known");
  }

  @Test
  void givesTheNearestForWhatIsPrintedOfAnyFloat() {
    Random random = new Random(12);
    for (int i = 0; i < CASES; i++) {
      double any = Math.abs(Double.longBitsToDouble(random.nextLong()));
      if (Double.isFinite(any) && any > 0) {
        BigDecimal printed = new BigDecimal(Double.toString(any));
        check(printed.unscaledValue().longValueExact(), -printed.scale());
        BigDecimal widened = new BigDecimal(Float.toString((float) random.nextGaussian()));
        check(Math.abs(widened.unscaledValue().longValueExact()), -widened.scale());
      }
    }
  }

  @Test
  void roundsWhatIsHalfwayToEven() {
    for (long even = 1L << 52; even < (1L << 52) + 2000; even += 2) {
      // Between two neighbours in [2^53, 2^54) and in [2^56, 2^57).
      check(2 * even + 1, 0);
      check(2 * even + 3, 0);
      check(16 * even + 8, 0);
      check(16 * even + 24, 0);
      check(16 * even + 23, 0);
      check(16 * even + 25, 0);
      check(5 * (2 * even + 1), -1);
      check(25 * (2 * even + 1), -2);
    }
  }

  /** Returns whether it knew the number. */
  private static boolean check(long digits, int exponent) {
    String literal = Long.toUnsignedString(digits) + "e" + exponent;
    double found = Decimals.nearest(digits, exponent);
    if (found < 0) {
      return false;
    }
    assertEquals(
        Double.doubleToLongBits(Double.parseDouble(literal)),
        Double.doubleToLongBits(found),
        literal);
    return true;
  }
}
