package dev.twinrank.core.internal.json;

/**
 * Resolves escapes of surrogates before the parser sees them.
 *
 * <p>RFC 8259 allows {@code "\ud800"} alone, and the contract gives it a code of its own. Jackson
 * refuses it as a syntax error, but only in names. Characters, unlike UTF-8, can hold a lone
 * surrogate as it is, and a parser of characters takes it.
 */
final class Surrogates {
  private static final int ESCAPE = "\\ud800".length();

  private Surrogates() {}

  /** Replaces escapes of surrogates in place; returns the new length. */
  static int unescape(char[] text, int length) {
    int to = 0;
    for (int from = 0; from < length; ) {
      if (text[from] != '\\' || from + 1 == length) {
        text[to++] = text[from++];
      } else if (isSurrogate(text, from, length)) {
        text[to++] = (char) hex(text, from + 2);
        from += ESCAPE;
      } else {
        // Both characters, so that the second of two backslashes does not begin an escape.
        text[to++] = text[from++];
        text[to++] = text[from++];
      }
    }
    return to;
  }

  private static boolean isSurrogate(char[] text, int at, int length) {
    return at + ESCAPE <= length
        && text[at + 1] == 'u'
        && hex(text, at + 2) >= Character.MIN_SURROGATE
        && hex(text, at + 2) <= Character.MAX_SURROGATE;
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
