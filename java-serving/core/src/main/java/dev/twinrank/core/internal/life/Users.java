package dev.twinrank.core.internal.life;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts who uses something that must be freed when nobody does any more. Thread-safe, and without
 * allocation but for the wait in {@link #retire}.
 *
 * <p>The count starts with one user, the owner. {@link #retire} gives that one back; whoever brings
 * the count to zero frees, exactly once, and nobody enters after that.
 */
public final class Users {
  private final AtomicInteger count = new AtomicInteger(1);
  private final AtomicInteger retired = new AtomicInteger();
  private final CountDownLatch freed = new CountDownLatch(1);
  private final Runnable free;

  /** Starts with the owner; {@code free} runs once, on the thread of the last user. */
  public Users(Runnable free) {
    this.free = free;
  }

  /** Enters, and says whether that was possible; if so, the caller leaves once. */
  public boolean enter() {
    if (retired.get() != 0) {
      return false;
    }
    int now = count.get();
    while (now > 0) {
      if (count.compareAndSet(now, now + 1)) {
        if (retired.get() != 0) {
          // Who enters while the owner leaves would keep alive what is to be freed.
          leave();
          return false;
        }
        return true;
      }
      now = count.get();
    }
    return false;
  }

  /** Leaves; the last user frees. */
  public void leave() {
    int now = count.decrementAndGet();
    if (now == 0) {
      try {
        free.run();
      } finally {
        freed.countDown();
      }
    } else if (now < 0) {
      throw new IllegalStateException("more users left than had entered");
    }
  }

  /** Lets nobody enter any more, and leaves for the owner. Idempotent; does not wait. */
  public void retire() {
    if (retired.compareAndSet(0, 1)) {
      leave();
    }
  }

  /** Waits until what is counted has been freed; interrupts are kept for the caller. */
  public void awaitFreed() {
    boolean interrupted = false;
    while (true) {
      try {
        freed.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Returns whether {@link #retire} was called. */
  public boolean isRetired() {
    return retired.get() != 0;
  }
}
