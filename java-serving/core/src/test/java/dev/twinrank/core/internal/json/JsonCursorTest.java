package dev.twinrank.core.internal.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Jackson would take and RFC 8259 does not, and what its own limits would hide. */
class JsonCursorTest {
  private static Object read(byte[] text) {
    return JsonTree.read(text, JsonCursor.factory(4));
  }

  private static Object read(String text) {
    return read(text.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(strings = {"UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "UTF-32BE"})
  void refusesEveryOtherEncodingThatJacksonGuesses(String charset) {
    byte[] text = "{\"a\": 1}".getBytes(Charset.forName(charset));
    assertThrows(InvalidJson.class, () -> read(text));
  }

  @Test
  void refusesBytesThatJacksonDecodesLeniently() {
    for (byte[] inner :
        new byte[][] {
          {(byte) 0xC0, (byte) 0x80}, // overlong NUL
          {(byte) 0xE0, (byte) 0x80, (byte) 0xAF}, // overlong slash
          {(byte) 0xED, (byte) 0xA0, (byte) 0x80}, // an encoded surrogate
          {(byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80}, // beyond U+10FFFF
          {(byte) 0xFF}
        }) {
      byte[] text = new byte[inner.length + 2];
      text[0] = '"';
      System.arraycopy(inner, 0, text, 1, inner.length);
      text[text.length - 1] = '"';
      assertThrows(InvalidJson.class, () -> read(text));
    }
  }

  @Test
  void refusesAByteOrderMarkAndASecondValue() {
    InvalidJson refusal = assertThrows(InvalidJson.class, () -> read("\uFEFF{}"));
    assertEquals("the text begins with a byte order mark; leave it out", refusal.getMessage());
    assertThrows(InvalidJson.class, () -> read("{}{}"));
    assertThrows(InvalidJson.class, () -> read("1 2"));
    assertThrows(InvalidJson.class, () -> read(""));
    assertEquals(Map.of(), read(" \t\r\n{} \t\r\n"));
  }

  @Test
  void refusesTheSameNameInAnySpelling() {
    assertThrows(InvalidJson.class, () -> read("{\"a\": 1, \"\\u0061\": 2}"));
    assertThrows(InvalidJson.class, () -> read("{\"\ud83d\ude00\": 1, \"\\uD83D\\uDE00\": 2}"));
  }

  @Test
  void limitsNestingAndNumbersExactly() {
    assertEquals("[[[[]]]]", read("[[[[]]]]").toString());
    assertThrows(InvalidJson.class, () -> read("[[[[[]]]]]"));
    String digits = "1".repeat(999);
    assertEquals("-" + digits, read("-" + digits).toString());
    assertThrows(InvalidJson.class, () -> read("-1" + digits));
    assertThrows(InvalidJson.class, () -> read("1." + digits));
    assertThrows(InvalidJson.class, () -> read("0e" + digits));
  }

  @Test
  void showsNoLimitOfTheParser() {
    String text = "x".repeat(200_000);
    assertEquals(Map.of(text, text), read("{\"" + text + "\": \"" + text + "\"}"));
  }

  @Test
  void keepsLoneSurrogatesInNamesAndValues() {
    assertEquals(
        Map.of("\ud800", List.of("\udfff", "\ud83d\ude00", "a\ud83d")),
        read("{\"\\ud800\": [\"\\uDFFF\", \"\\ud83d\\ude00\", \"a\\uD83D\"]}"));
  }

  @Test
  void doesNotTakeAnEscapedBackslashForAnEscape() {
    assertEquals("\\ud800", read("\"\\\\ud800\""));
    assertEquals("\\\ud800", read("\"\\\\\\ud800\""));
    assertThrows(InvalidJson.class, () -> read("\"\\ud8g0\""));
    assertThrows(InvalidJson.class, () -> read("\"\\ud80"));
    assertThrows(InvalidJson.class, () -> read("\"\\"));
    assertThrows(InvalidJson.class, () -> read("\\ud800"));
    // Digits of another script are no hex digits.
    assertThrows(InvalidJson.class, () -> read("\"\\ud\u0668\u0660\u0660\""));
  }

  @Test
  void saysWhatAndWhereWithoutRepeatingForeignText() {
    String name = "\u00e9".repeat(300);
    InvalidJson refusal =
        assertThrows(InvalidJson.class, () -> read("{\"" + name + "\": 1,\n \"" + name + "\": 2}"));
    assertTrue(refusal.getMessage().startsWith("Duplicate"), refusal.getMessage());
    assertTrue(refusal.getMessage().matches("[ -~]{1,2000}"), refusal.getMessage());
    assertTrue(refusal.getMessage().contains(" at line 2, column "), refusal.getMessage());
    assertEquals("'a\\u001b\\u0027'", Quote.of("a\u001b'"));
    assertEquals("'" + "x".repeat(60) + "'...", Quote.of("x".repeat(61)));
  }
}
