package dev.twinrank.core.internal.signature;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.HexFormat;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** By hand after X.690 (DER); what a JDK takes besides depends on its release. */
class EcdsaDerTest {
  private static final BigInteger ORDER = BigInteger.valueOf(1000);

  @ParameterizedTest
  @CsvSource({
    "3006 020101 020101, true",
    "3008 02020080 020203e7, true", // 128 and 999
    "3006 020100 020101, false", // r = 0, with which CVE-2022-21449 signed everything
    "3006 020101 020100, false",
    "3006 0201ff 020101, false", // −1
    "3007 020101 020203e8, false", // the order itself
    "3007 02020001 020101, false", // a zero too much
    "308106 020101 020101, false", // a long length where a short one does
    "30820006 020101 020101, false",
    "3080 020101 020101 0000, false", // BER's indefinite length
    "3006 020101 020101 00, false", // a byte behind it
    "3007 020101 020101 00, false", // within the sequence
    "3006 020101 0201, false",
    "3003 020101, false",
    "3005 0200 020101, false",
    "3006 030101 020101, false",
    "3106 020101 020101, false",
    "3007 02810101 020101, false",
    "30, false",
    "3081, false",
    "3002 0201, false"
  })
  void isTheOneEncodingOfTwoIntegersOfTheGroup(String hex, boolean canonical) {
    byte[] der = HexFormat.of().parseHex(hex.replace(" ", ""));
    assertEquals(canonical, EcdsaDer.isCanonical(der, ORDER));
  }
}
