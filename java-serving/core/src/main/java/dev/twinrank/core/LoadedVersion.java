package dev.twinrank.core;

import dev.twinrank.core.internal.life.Users;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A model in a store, and who holds a lease of it. Thread-safe. */
final class LoadedVersion {
  private final Model model;
  private final long version;
  private final Consumer<LoadedVersion> afterwards;
  private final Users leases = new Users(this::free);
  private final CountDownLatch freed = new CountDownLatch(1);
  private volatile Thread retiring;

  /** Takes a model over. When it has been closed, {@code afterwards} forgets it. */
  LoadedVersion(Model model, long version, Consumer<LoadedVersion> afterwards) {
    this.model = model;
    this.version = version;
    this.afterwards = afterwards;
  }

  Model model() {
    return model;
  }

  long version() {
    return version;
  }

  int leases() {
    return leases.count();
  }

  boolean isRetired() {
    return leases.isRetired();
  }

  /** Takes a lease, and says whether that was possible. */
  boolean enter() {
    return leases.enter();
  }

  /** Gives a lease back. The last one of a retired version lets another thread free it. */
  void leave() {
    leases.leave();
  }

  /**
   * Grants no more leases. If there is none, the model is closed by this thread; nobody else can be
   * scoring with it then.
   */
  void retire() {
    retiring = Thread.currentThread();
    try {
      leases.retire();
    } finally {
      retiring = null;
    }
  }

  /** Grants no more leases. Whoever is the last to leave, another thread closes the model. */
  void retireElsewhere() {
    leases.retire();
  }

  /** Closes the model of a version that nobody could acquire yet. */
  void discard() {
    model.release();
  }

  /**
   * Waits until the model is closed, or the time is over.
   *
   * @return whether it is closed
   */
  boolean awaitFreed(long nanos) throws InterruptedException {
    return freed.await(nanos, TimeUnit.NANOSECONDS);
  }

  /** Ends the wait of {@link #awaitFreed}: nothing speaks of this version any more. */
  void forgotten() {
    freed.countDown();
  }

  // A thread that gives a lease back is answering a request, and freeing takes milliseconds.
  private void free() {
    if (retiring == Thread.currentThread()) {
      close();
      return;
    }
    Thread thread =
        new Thread(null, this::close, "twinrank-free-" + model.name() + "-" + version, 0, false);
    thread.setDaemon(true);
    thread.setContextClassLoader(null);
    try {
      thread.start();
    } catch (OutOfMemoryError e) {
      close(); // the system has no thread left: a slow answer is better than a leak
    }
  }

  private void close() {
    try {
      model.release();
    } finally {
      afterwards.accept(this);
    }
  }
}
