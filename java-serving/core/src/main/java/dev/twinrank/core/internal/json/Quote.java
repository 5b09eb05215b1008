package dev.twinrank.core.internal.json;

import java.util.HexFormat;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Quotes foreign text for a message: short, on one line, and without characters that mislead. */
public final class Quote {
  private static final Pattern UNPRINTABLE =
      Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]");
  private static final int LONGEST = 60;
  private static final int LONGEST_MESSAGE = 200;

  private Quote() {}

  /** Returns the text in single quotes, cut after 60 characters, everything odd as an escape. */
  public static String of(CharSequence text) {
    return "'" + printable(text, LONGEST, "'\\") + (text.length() > LONGEST ? "'..." : "'");
  }

  /** Returns the text on one line: control and format characters as escapes, the rest as it is. */
  public static String plain(String text) {
    return UNPRINTABLE
        .matcher(text)
        .replaceAll(
            found ->
                found
                    .group()
                    .chars()
                    .mapToObj(c -> "\\\\u" + HexFormat.of().toHexDigits((char) c))
                    .collect(Collectors.joining()));
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
