package dev.twinrank.core.internal.life;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts who uses something that must be freed when nobody does any more. Thread-safe; entering and
 * leaving neither lock nor allocate.
 *
 * <p>The count starts with one user, the owner. {@link #retire} gives that one back; whoever brings
 * the count to zero frees, exactly once, and nobody enters after that.
 */
public final class Users {
  private static final int RETIRED = 1;
  private static final int ONE = 2;

  // Twice the number of users, plus one once retired: to enter, to leave and to retire are then one
  // compare-and-set each, and there is no moment between a look at the flag and the count.
  private final AtomicInteger state = new AtomicInteger(ONE);
  private final CountDownLatch freed = new CountDownLatch(1);
  private final Runnable free;

  /** Starts with the owner; {@code free} runs once, on the thread of the last user. */
  public Users(Runnable free) {
    this.free = free;
  }

  /** Enters, and says whether that was possible; if so, the caller leaves once. */
  public boolean enter() {
    int now = state.get();
    while ((now & RETIRED) == 0) {
      if (now > Integer.MAX_VALUE - ONE) {
        throw new IllegalStateException("more users than an int can count; who does not leave?");
      }
      int seen = state.compareAndExchange(now, now + ONE);
      if (seen == now) {
        return true;
      }
      now = seen;
    }
    return false;
  }

  /**
   * Leaves; the last user frees.
   *
   * @throws IllegalStateException if nobody is in; the owner leaves by {@link #retire} alone
   */
  public void leave() {
    int now = state.get();
    while (true) {
      if (guests(now) == 0) {
        throw new IllegalStateException("more users left than had entered");
      }
      int seen = state.compareAndExchange(now, now - ONE);
      if (seen == now) {
        break;
      }
      now = seen;
    }
    freeIfLast(now - ONE);
  }

  /** Lets nobody enter any more, and leaves for the owner. Idempotent; does not wait. */
  public void retire() {
    int now = state.get();
    while ((now & RETIRED) == 0) {
      int seen = state.compareAndExchange(now, (now | RETIRED) - ONE);
      if (seen == now) {
        freeIfLast((now | RETIRED) - ONE);
        return;
      }
      now = seen;
    }
  }

  private void freeIfLast(int now) {
    if (now == RETIRED) {
      try {
        free.run();
      } finally {
        freed.countDown();
      }
    }
  }

  /** Returns how many are in, without the owner. */
  public int count() {
    return guests(state.get());
  }

  private static int guests(int now) {
    return now / ONE - ((now & RETIRED) == 0 ? 1 : 0);
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

  /**
   * Waits until what is counted has been freed, or the time is over.
   *
   * @param nanos how long at most; nothing or less only looks
   * @return whether it has been freed
   * @throws InterruptedException if the caller is interrupted
   */
  public boolean awaitFreed(long nanos) throws InterruptedException {
    return freed.await(nanos, TimeUnit.NANOSECONDS);
  }

  /** Returns whether {@link #retire} was called. */
  public boolean isRetired() {
    return (state.get() & RETIRED) != 0;
  }
}
