package dev.twinrank.server.oip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HalvesTest {
  @Test
  void theValuesAreThoseOfTheStandard() {
    // IEEE 754-2019, binary16: largest, least normal, least subnormal, and a third.
    assertEquals(65504.0, Halves.HALF.widen((short) 0x7bff));
    assertEquals(0x1p-14, Halves.HALF.widen((short) 0x0400));
    assertEquals(0x1p-24, Halves.HALF.widen((short) 0x0001));
    assertEquals(0.333251953125, Halves.HALF.widen((short) 0x3555));
    assertEquals(-2.0, Halves.HALF.widen((short) 0xc000));
    assertEquals(Double.NEGATIVE_INFINITY, Halves.HALF.widen((short) 0xfc00));
    assertTrue(Double.isNaN(Halves.HALF.widen((short) 0x7e00)));
  }

  @Test
  void aBfloatIsTheUpperHalfOfAFloat() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      assertEquals((double) Float.intBitsToFloat(bits << 16), Halves.BFLOAT.widen((short) bits));
    }
  }

  @ParameterizedTest
  @EnumSource(Halves.class)
  void narrowingTakesTheNearestAndTheEvenOneOfTwo(Halves halves) {
    int infinity = halves == Halves.HALF ? 0x7c00 : 0x7f80;
    for (int bits = 0; bits < infinity; bits++) {
      double value = halves.widen((short) bits);
      double next = halves.widen((short) (bits + 1));
      assertEquals(bits, halves.narrow(value));
      assertEquals((short) (bits | 0x8000), halves.narrow(-value));
      if (bits + 1 < infinity) {
        double middle = (value + next) / 2;
        assertEquals(bits + (bits & 1), halves.narrow(middle));
        assertEquals(bits, halves.narrow(Math.nextDown(middle)));
        assertEquals(bits + 1, halves.narrow(Math.nextUp(middle)));
      }
    }
    assertEquals(infinity, halves.narrow(Double.POSITIVE_INFINITY));
    assertEquals(infinity, halves.narrow(Double.MAX_VALUE));
    assertTrue(Double.isNaN(halves.widen(halves.narrow(Double.NaN))));
    assertEquals(0, halves.narrow(Double.MIN_VALUE));
  }
}
