package dev.twinrank.server.life;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * SIGTERM and SIGINT as something to wait for, instead of as the JVM's own shutdown: hooks run
 * beside each other in no order, and a model that loads or an answer under way must have ended
 * before any of them. Thread-safe.
 */
public final class Signals {
  private static final String HANGUP = "HUP";
  private static final int FATAL_SIGNAL_BASE = 128;

  private final CompletableFuture<Integer> first = new CompletableFuture<>();
  private volatile Runnable onSecond = () -> {};
  private volatile Runnable onHangup = () -> {};

  private Signals() {}

  private void receive(String name, int number) {
    if (name.equals(HANGUP)) {
      onHangup.run();
    } else if (!first.complete(number)) {
      onSecond.run();
    }
  }

  /** Lets something be done at every signal to end after the first. */
  public void onSecond(Runnable what) {
    onSecond = what;
  }

  /** Lets something be done at every SIGHUP. */
  public void onHangup(Runnable what) {
    onHangup = what;
  }

  /**
   * Takes the signals over from the JVM, SIGHUP too, which does not end the server.
   *
   * @throws StartException if this JVM does not let them be taken over
   */
  public static Signals takeOver() {
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
                  signals.receive(
                      (String) signal.getMethod("getName").invoke(args[0]),
                      (Integer) signal.getMethod("getNumber").invoke(args[0]));
                }
                return null;
              });
      for (String name : List.of("TERM", "INT", HANGUP)) {
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

  public boolean received() {
    return first.isDone();
  }

  /**
   * Waits for the first signal and returns the exit status that shells give for it: 143 for
   * SIGTERM.
   */
  public int await() {
    return FATAL_SIGNAL_BASE + first.join();
  }
}
