package dev.twinrank.server;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * SIGTERM and SIGINT as something to wait for, instead of as the JVM's own shutdown: hooks run
 * beside each other in no order, and a model that loads or an answer under way must have ended
 * before any of them. Thread-safe.
 */
final class Signals {
  private static final int FATAL_SIGNAL_BASE = 128;

  private final CompletableFuture<Integer> first = new CompletableFuture<>();

  private Signals() {}

  /**
   * Takes the signals over from the JVM; later ones than the first change nothing.
   *
   * @throws StartException if this JVM does not let them be taken over
   */
  static Signals takeOver() {
    Signals signals = new Signals();
    try {
      // By reflection, because javac's warning about sun.misc cannot be silenced where warnings are
      // errors.
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object receive =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {handler},
              (proxy, method, args) -> {
                if (method.getName().equals("handle")) {
                  signals.first.complete((Integer) signal.getMethod("getNumber").invoke(args[0]));
                }
                return null;
              });
      for (String name : List.of("TERM", "INT")) {
        signal
            .getMethod("handle", signal, handler)
            .invoke(null, signal.getConstructor(String.class).newInstance(name), receive);
      }
    } catch (ReflectiveOperationException e) {
      throw new StartException(
          List.of(
              "SIGTERM cannot be taken over ("
                  + e
                  + "); start the JVM without -Xrs, with the module jdk.unsupported"),
          e);
    }
    return signals;
  }

  boolean received() {
    return first.isDone();
  }

  /**
   * Waits for the first signal and returns the exit status that shells give for it: 143 for
   * SIGTERM.
   */
  int await() {
    return FATAL_SIGNAL_BASE + first.join();
  }
}
