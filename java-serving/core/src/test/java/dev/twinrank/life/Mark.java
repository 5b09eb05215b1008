package dev.twinrank.life;

/**
 * Says {@code now} when a process does a certain thing for a certain time, so that its parent ends
 * it there and not somewhere.
 */
final class Mark {
  private static String what = "";
  private static int left;

  private Mark() {}

  /** Takes {@code what/times}. */
  static synchronized void set(String mark) {
    int slash = mark.indexOf('/');
    what = mark.substring(0, slash);
    left = Integer.parseInt(mark.substring(slash + 1));
  }

  /** Called by whoever is about to do it. */
  static synchronized void pass(String something) {
    if (something.equals(what) && --left == 0) {
      System.out.println("now");
    }
  }
}
