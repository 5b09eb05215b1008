package dev.twinrank.core.internal.json;

/** Quotes foreign text for a message: short, on one line, and without characters that mislead. */
public final class Quote {
  private static final int LONGEST = 60;

  private Quote() {}

  /** Returns the text in single quotes, cut after 60 characters, everything odd as an escape. */
  public static String of(CharSequence text) {
    StringBuilder quoted = new StringBuilder().append('\'');
    for (int i = 0; i < Math.min(text.length(), LONGEST); i++) {
      char c = text.charAt(i);
      if (c >= ' ' && c <= '~' && c != '\'' && c != '\\') {
        quoted.append(c);
      } else {
        quoted.append(String.format("\\u%04x", (int) c));
      }
    }
    return quoted.append(text.length() > LONGEST ? "'…" : "'").toString();
  }
}
