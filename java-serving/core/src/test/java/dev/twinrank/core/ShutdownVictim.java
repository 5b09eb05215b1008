package dev.twinrank.core;

import java.nio.file.Path;

/**
 * Loads a good and a bad bundle over and over, until somebody stops the process; like a service, it
 * has a shutdown hook that takes a moment, in which the loading goes on.
 */
final class ShutdownVictim {
  static final int RUNTIME_WAS_GONE = 3;

  private static final long DRAIN_MILLIS = 300;

  private ShutdownVictim() {}

  public static void main(String[] args) {
    Path good = Path.of(args[0]);
    Path bad = Path.of(args[1]);
    Runtime.getRuntime().addShutdownHook(new Thread(ShutdownVictim::drain));
    repeat(() -> open(good));
    repeat(() -> open(good));
    repeat(() -> refuse(bad));
  }

  private static void repeat(Runnable step) {
    Runnable forever =
        () -> {
          while (true) {
            step.run();
            System.out.println("loaded");
          }
        };
    Thread thread = new Thread(forever);
    thread.setUncaughtExceptionHandler(
        (stopped, failure) -> {
          failure.printStackTrace();
          Runtime.getRuntime().halt(RUNTIME_WAS_GONE);
        });
    thread.start();
  }

  private static void open(Path bundle) {
    try (Model model = Model.open(bundle, Tiny.BY_REFERENCE)) {
      model.rank(model.parse(Tiny.request(1)));
    }
  }

  private static void refuse(Path bundle) {
    try {
      Model.open(bundle, Tiny.BY_REFERENCE).close();
      throw new IllegalStateException("the bad bundle was opened");
    } catch (BundleException e) {
      if (e.code() != ErrorCode.SESSION_FAILED) {
        throw e;
      }
    }
  }

  private static void drain() {
    try {
      Thread.sleep(DRAIN_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
