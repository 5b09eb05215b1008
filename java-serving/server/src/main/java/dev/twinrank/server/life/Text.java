package dev.twinrank.server.life;

/** What comes from files, as it may stand in a log. */
final class Text {
  private Text() {}

  /** Returns a text on one line: it must not look like a line of the log. */
  static String printable(String text) {
    return text.replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+", " ");
  }
}
