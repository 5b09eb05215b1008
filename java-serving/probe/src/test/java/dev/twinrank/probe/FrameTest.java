package dev.twinrank.probe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.probe.ProtocolException.Code;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class FrameTest {
  // Written by hand from contract section 12: u32 little-endian 2, "{}", u32 little-endian 3,
  // "abc".
  private static final byte[] BYTES =
      HexFormat.of().parseHex("02000000" + "7b7d" + "03000000" + "616263");

  @Test
  void isTwoLengthsAndTwoParts() {
    Frame frame = Frame.decode(BYTES);

    assertEquals("{}", new String(frame.header(), StandardCharsets.UTF_8));
    assertEquals("abc", new String(frame.body(), StandardCharsets.UTF_8));
    assertArrayEquals(BYTES, frame.encode());
  }

  @Test
  void everyCutIsRefused() {
    for (int length = 0; length < BYTES.length; length++) {
      byte[] cut = Arrays.copyOf(BYTES, length);
      assertEquals(
          Code.INVALID_FRAME,
          assertThrows(ProtocolException.class, () -> Frame.decode(cut)).code());
    }
  }

  @Test
  void aByteTooManyIsRefused() {
    byte[] longer = Arrays.copyOf(BYTES, BYTES.length + 1);
    assertEquals(
        Code.INVALID_FRAME,
        assertThrows(ProtocolException.class, () -> Frame.decode(longer)).code());
  }

  @Test
  void aLengthIsUnsignedAndLimited() {
    for (String claim : new String[] {"01000004", "ffffffff", "00000080"}) {
      byte[] bytes = HexFormat.of().parseHex(claim + "7b7d");
      ProtocolException e = assertThrows(ProtocolException.class, () -> Frame.decode(bytes));
      assertEquals(Code.INVALID_FRAME, e.code());
      assertTrue(e.getMessage().contains("67108864"), e.getMessage());
    }
  }

  @Test
  void aStreamIsReadFrameByFrameAndNotAByteFurther() throws IOException {
    byte[] two = new byte[2 * BYTES.length];
    System.arraycopy(BYTES, 0, two, 0, BYTES.length);
    System.arraycopy(BYTES, 0, two, BYTES.length, BYTES.length);
    InputStream in = new ByteArrayInputStream(two);

    assertArrayEquals(BYTES, Frame.readFrom(in).orElseThrow());
    assertEquals(BYTES.length, in.available());
    assertArrayEquals(BYTES, Frame.readFrom(in).orElseThrow());
    assertTrue(Frame.readFrom(in).isEmpty());
  }

  @Test
  void aClaimOverTheLimitIsRefusedBeforeTheBodyIsRead() {
    InputStream in =
        new ByteArrayInputStream(HexFormat.of().parseHex("02000000" + "7b7d" + "01000004"));
    assertEquals(
        Code.INVALID_FRAME, assertThrows(ProtocolException.class, () -> Frame.readFrom(in)).code());
  }

  @Test
  void aStreamThatEndsInsideAFrameIsRefused() {
    for (int length = 1; length < BYTES.length; length++) {
      InputStream in = new ByteArrayInputStream(BYTES, 0, length);
      assertEquals(
          Code.INVALID_FRAME,
          assertThrows(ProtocolException.class, () -> Frame.readFrom(in)).code());
    }
  }
}
