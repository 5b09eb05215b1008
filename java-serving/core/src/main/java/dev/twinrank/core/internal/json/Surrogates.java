package dev.twinrank.core.internal.json;

/**
 * Checks escapes of UTF-16 units and resolves those of surrogates before the parser sees them.
 *
 * <p>RFC 8259 allows {@code "\ud800"} alone, and the contract gives it a code of its own. Jackson
 * refuses it as a syntax error, but only in names. Characters, unlike UTF-8, can hold a lone
 * surrogate as it is, and a parser of characters takes it. The digits are checked because Jackson
 * looks at the low eight bits of each only, and so takes U+0141 for an A.
 */
final class Surrogates {
  private static final int ESCAPE = "\\ud800".length();

  private Surrogates() {}

  /**
   * Replaces escapes of surrogates in place; returns the new length.
   *
   * @throws InvalidJson if an escape of a unit has no four hexadecimal digits
   */
  static int unescape(char[] text, int length) {
    int to = 0;
    for (int from = 0; from < length; ) {
      if (text[from] != '\\' || from + 1 == length) {
        text[to++] = text[from++];
        continue;
      }
      if (text[from + 1] == 'u') {
        int unit = from + ESCAPE <= length ? hex(text, from + 2) : -1;
        if (unit < 0) {
          throw new InvalidJson(
              "an escape \\u needs four of 0 to 9, a to f and A to F; write them, or the character",
              null);
        }
        if (unit >= Character.MIN_SURROGATE && unit <= Character.MAX_SURROGATE) {
          text[to++] = (char) unit;
          from += ESCAPE;
          continue;
        }
      }
      // Both characters, so that the second of two backslashes does not begin an escape.
      text[to++] = text[from++];
      text[to++] = text[from++];
    }
    return to;
  }

  /** Returns the value of four hex digits, or −1. */
  private static int hex(char[] text, int at) {
    int value = 0;
    for (int i = at; i < at + 4; i++) {
      // Character.digit would take the digits of other scripts too.
      int digit = text[i] < 128 ? Character.digit(text[i], 16) : -1;
      if (digit < 0) {
        return -1;
      }
      value = value * 16 + digit;
    }
    return value;
  }
}
