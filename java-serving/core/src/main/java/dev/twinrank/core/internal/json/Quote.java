package dev.twinrank.core.internal.json;

/** Quotes foreign text for a message: short, on one line, and without characters that mislead. */
public final class Quote {
  private static final int LONGEST = 60;
  private static final int LONGEST_MESSAGE = 200;

  private Quote() {}

  /** Returns the text in single quotes, cut after 60 characters, everything odd as an escape. */
  public static String of(CharSequence text) {
    return "'" + printable(text, LONGEST, "'\\") + (text.length() > LONGEST ? "'..." : "'");
  }

  /** Returns another library's message, which may hold foreign text, cut after 200 characters. */
  static String message(CharSequence text) {
    return printable(text, LONGEST_MESSAGE, "") + (text.length() > LONGEST_MESSAGE ? "..." : "");
  }

  private static String printable(CharSequence text, int longest, String alsoEscaped) {
    StringBuilder printable = new StringBuilder();
    for (int i = 0; i < Math.min(text.length(), longest); i++) {
      char c = text.charAt(i);
      if (c >= ' ' && c <= '~' && alsoEscaped.indexOf(c) < 0) {
        printable.append(c);
      } else {
        printable.append(String.format("\\u%04x", (int) c));
      }
    }
    return printable.toString();
  }
}
