package dev.twinrank.life;

import java.util.Locale;

/**
 * How much these tests do: {@code -Dtwinrank.life=small} (the default), {@code ci} or {@code full}.
 */
enum Size {
  SMALL,
  CI,
  FULL;

  private static final Size CHOSEN =
      valueOf(System.getProperty("twinrank.life", "small").toUpperCase(Locale.ROOT));

  static int of(int small, int ci, int full) {
    return switch (CHOSEN) {
      case SMALL -> small;
      case CI -> ci;
      case FULL -> full;
    };
  }

  /** Prints one line that says what a test has counted; {@code make reliability} shows them. */
  static void report(String format, Object... counts) {
    System.out.println("reliability: " + String.format(Locale.ROOT, format, counts));
  }
}
