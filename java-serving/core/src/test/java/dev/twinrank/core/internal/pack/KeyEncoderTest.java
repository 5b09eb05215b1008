package dev.twinrank.core.internal.pack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Against the library's encoder of UTF-8, which refuses lone surrogates, and the plain hash. */
class KeyEncoderTest {
  private static final int UNITS = KeyEncoder.UNITS;

  // One of each size of UTF-8, with low bytes that look like ASCII and like none.
  private static final int[] POINTS = {'a', 0xE9, 0x141, 0x3B1, 0x4E41, 0xFF41, 0x1F641, 0x10FF41};

  private final KeyEncoder encoder = new KeyEncoder();

  private static OptionalLong expected(String text) {
    try {
      ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      byte[] exact = new byte[bytes.remaining()];
      bytes.get(exact);
      return OptionalLong.of(Hashing.xxh3_64().hashBytesToLong(exact));
    } catch (CharacterCodingException e) {
      return OptionalLong.empty();
    }
  }

  private void check(String text) {
    OptionalLong expected = expected(text);
    assertEquals(expected.isPresent(), encoder.encode(text), () -> escaped(text));
    if (expected.isPresent()) {
      assertEquals(expected.getAsLong(), encoder.key(), () -> escaped(text));
    }
    char[] chars = ("x" + text + "y").toCharArray();
    assertEquals(
        expected.isPresent(), encoder.encode(chars, 1, text.length()), () -> escaped(text));
    if (expected.isPresent()) {
      assertEquals(expected.getAsLong(), encoder.key(), () -> escaped(text));
    }
  }

  private static String escaped(String text) {
    StringBuilder all = new StringBuilder().append(text.length()).append(": ");
    text.chars().forEach(c -> all.append(c < 0x80 ? "" + (char) c : String.format("\\u%04x", c)));
    return all.toString();
  }

  @Test
  void givesTheKeyOfEveryCodePointAndRefusesEverySurrogate() {
    for (int point = 0; point <= Character.MAX_CODE_POINT; point += point < 0x10000 ? 1 : 97) {
      check(Character.toString(point));
    }
    check(Character.toString(Character.MAX_CODE_POINT));
  }

  @Test
  void seesACharacterBeyondAsciiAtEveryPositionOfEveryLength() {
    for (int length = 1; length <= 70; length++) {
      for (int at = 0; at < length; at++) {
        for (int point : POINTS) {
          String text = "k".repeat(at) + Character.toString(point) + "k".repeat(length - at - 1);
          check(text);
        }
      }
    }
  }

  @Test
  void seesALoneSurrogateAtEveryPositionOfEveryLength() {
    for (int length = 1; length <= 70; length++) {
      for (int at = 0; at < length; at++) {
        for (String lone : new String[] {"\ud841", "\udc41"}) {
          String rest = "k".repeat(length - at - 1);
          assertFalse(encoder.encode("k".repeat(at) + lone + rest));
          assertFalse(encoder.encode(("k".repeat(at) + lone + rest).toCharArray(), 0, length));
        }
      }
    }
  }

  @Test
  void goesOnFromPartToPartOfLongStrings() {
    for (int length : new int[] {UNITS - 1, UNITS, UNITS + 1, 2 * UNITS, 2 * UNITS + 1}) {
      for (int at = Math.max(0, length - 3); at <= length; at++) {
        for (int point : POINTS) {
          check("k".repeat(at) + Character.toString(point) + "k".repeat(length - at));
          check(Character.toString(point).repeat(length));
        }
      }
    }
    // A pair, a lone half and both orders across the end of a part.
    for (int at = UNITS - 3; at <= UNITS + 1; at++) {
      for (String odd : new String[] {"\ud83d\ude00", "\ud83d", "\ude00", "\ude00\ud83d"}) {
        check("k".repeat(at) + odd);
        check("k".repeat(at) + odd + "k".repeat(UNITS));
        check("\u4e00".repeat(at) + odd + "\u4e00".repeat(3));
      }
    }
    check("\ud83d\ude00".repeat(100_000));
  }

  @Test
  void agreesOnRandomStringsOfAllScripts() {
    Random random = new Random(20);
    for (int i = 0; i < 60_000; i++) {
      int length = i % 500 == 0 ? random.nextInt(3 * UNITS) : random.nextInt(40);
      int kinds = 1 + random.nextInt(POINTS.length);
      StringBuilder text = new StringBuilder();
      while (text.length() < length) {
        if (random.nextInt(200) == 0) {
          text.append((char) (0xD800 + random.nextInt(0x800)));
        } else {
          // Near the point, but on the same plane and not among the surrogates.
          int point = POINTS[random.nextInt(kinds)];
          text.appendCodePoint((point & ~0x3F) | random.nextInt(0x40));
        }
      }
      check(text.toString());
    }
  }

  @Test
  void keepsNothingOfTheStringBefore() {
    check("\u4e00".repeat(UNITS));
    check("");
    check("k");
    check("\ud83d\ude00");
    check("");
  }

  @Test
  void writesAColumnUpToTheFirstStringWithoutAKey() {
    String[] strings = {
      "comedy", "\u0141\u00f3d\u017a", null, "drama", "bad \ud800", "\ud83d\ude00"
    };
    int first = 5;
    int stride = 24;
    ByteBuffer column = ByteBuffer.allocate(200).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(2, encoder.encode(strings, 0, 6, column, first, stride));
    assertEquals(2, encoder.encode(strings, 2, 6, column, first, stride));
    assertEquals(4, encoder.encode(strings, 3, 6, column, first, stride));
    assertEquals(6, encoder.encode(strings, 5, 6, column, first, stride));

    ByteBuffer expected = ByteBuffer.allocate(200).order(ByteOrder.LITTLE_ENDIAN);
    for (int i : new int[] {0, 1, 3, 5}) {
      expected.putLong(first + i * stride, expected(strings[i]).orElseThrow());
    }
    assertArrayEquals(expected.array(), column.array());

    List<String> list = Arrays.asList(strings);
    ByteBuffer again = ByteBuffer.allocate(200).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(2, encoder.encode(list, 0, 6, again, first, stride));
    assertEquals(4, encoder.encode(list, 3, 6, again, first, stride));
    assertEquals(6, encoder.encode(list, 5, 6, again, first, stride));
    assertArrayEquals(expected.array(), again.array());
  }

  @Test
  void worksInTheCallersMemory() {
    byte[] scratch = new byte[KeyEncoder.SCRATCH];
    KeyEncoder lent = new KeyEncoder(scratch);
    assertTrue(lent.encode("\u4e00".repeat(UNITS)));
    assertEquals(expected("\u4e00".repeat(UNITS)).orElseThrow(), lent.key());
    assertEquals((byte) 0xE4, scratch[0]);
  }
}
