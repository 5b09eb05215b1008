package dev.twinrank.core;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Tells listeners what happened, in order, one event at a time, on the threads that come by.
 * Thread-safe.
 */
final class StoreEvents {
  private final List<StoreListener> listeners;
  private final Queue<Consumer<StoreListener>> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicInteger untold = new AtomicInteger();

  StoreEvents(List<StoreListener> listeners) {
    this.listeners = listeners;
  }

  /** Notes an event; may be called under a lock. {@link #tell} follows when it is released. */
  void add(Consumer<StoreListener> event) {
    if (!listeners.isEmpty()) {
      waiting.add(event);
    }
  }

  /**
   * Tells what is waiting, unless another thread, or a caller of this method further up, is doing
   * so; that one then tells these events too.
   */
  void tell() {
    if (untold.getAndIncrement() != 0) {
      return;
    }
    int seen = 1;
    do {
      for (Consumer<StoreListener> event = waiting.poll(); event != null; event = waiting.poll()) {
        for (StoreListener listener : listeners) {
          tell(event, listener);
        }
      }
      seen = untold.addAndGet(-seen);
    } while (seen != 0);
  }

  private static void report(Throwable thrown) {
    Thread here = Thread.currentThread();
    try {
      here.getUncaughtExceptionHandler().uncaughtException(here, thrown);
    } catch (Throwable ignored) {
      // The JVM ignores what a handler throws, too; here it would silence every event to come.
    }
  }

  private static void tell(Consumer<StoreListener> event, StoreListener listener) {
    try {
      event.accept(listener);
    } catch (Throwable e) {
      report(e);
    }
  }
}
