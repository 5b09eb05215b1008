package dev.twinrank.core.internal.life;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Tells those whose time is over. Thread-safe; one daemon thread a process, which is started by the
 * first watch and ends when there was none for a while.
 *
 * <p>A watch is a link in a list: adding and removing one is a few writes, and nothing is left of
 * it afterwards. There are as many as threads that run graphs, so the thread looks at all of them
 * when it wakes, and it is woken only for a deadline that comes before the one that it waits for: a
 * stream of short calls with a deadline each wakes it once a deadline and not once a call.
 */
public final class Watchdog {
  private static final long IDLE = TimeUnit.SECONDS.toNanos(30);

  private static final ReentrantLock LOCK = new ReentrantLock();
  private static final Condition EARLIER = LOCK.newCondition();
  private static final Watch HEAD = new Watch(0) {};
  private static boolean alive;
  private static boolean used;
  private static long wake;

  static {
    HEAD.next = HEAD;
    HEAD.previous = HEAD;
  }

  private Watchdog() {}

  /** Something that has a deadline. It can be added once. */
  public abstract static class Watch {
    private final long deadline;
    private Watch previous;
    private Watch next;

    /** Makes a watch for an instant of {@link System#nanoTime}. */
    protected Watch(long deadline) {
      this.deadline = deadline;
    }

    /**
     * Called when the deadline has passed, on the watchdog's thread, at most once. It may still be
     * called when {@link #remove} has returned.
     */
    protected void expired() {}
  }

  /** Starts watching. */
  public static void add(Watch watch) {
    LOCK.lock();
    try {
      // Before it is linked: a watch that nobody looks at would stay for ever.
      used = true;
      if (!alive) {
        start(watch.deadline);
      } else if (watch.deadline - wake < 0) {
        wake = watch.deadline;
        EARLIER.signal();
      }
      watch.previous = HEAD.previous;
      watch.next = HEAD;
      HEAD.previous.next = watch;
      HEAD.previous = watch;
    } finally {
      LOCK.unlock();
    }
  }

  /** Ends watching. Idempotent. */
  public static void remove(Watch watch) {
    LOCK.lock();
    try {
      unlink(watch);
    } finally {
      LOCK.unlock();
    }
  }

  /** Returns how many are watched. */
  static int watched() {
    LOCK.lock();
    try {
      int count = 0;
      for (Watch each = HEAD.next; each != HEAD; each = each.next) {
        count++;
      }
      return count;
    } finally {
      LOCK.unlock();
    }
  }

  private static void unlink(Watch watch) {
    if (watch.next != null) {
      watch.previous.next = watch.next;
      watch.next.previous = watch.previous;
      watch.next = null;
      watch.previous = null;
    }
  }

  private static void start(long first) {
    Thread thread = new Thread(null, Watchdog::watch, "twinrank-watchdog", 0, false);
    thread.setDaemon(true);
    // It outlives the caller, whose class loader it must not hold.
    thread.setContextClassLoader(null);
    wake = first;
    thread.start();
    alive = true; // not before: where the system has no thread left, the next watch tries again
  }

  private static void watch() {
    List<Watch> due = new ArrayList<>();
    while (await(due)) {
      for (Watch each : due) {
        tell(each);
      }
      due.clear();
    }
  }

  /** Waits for deadlines that have passed; returns false if this thread is to end. */
  private static boolean await(List<Watch> due) {
    LOCK.lock();
    try {
      while (true) {
        long now = System.nanoTime();
        while (wake - now > 0) {
          EARLIER.awaitNanos(wake - now);
          now = System.nanoTime();
        }
        if (collect(now, due)) {
          return true;
        }
        if (HEAD.next == HEAD && !used) {
          alive = false;
          return false;
        }
        used = false;
      }
    } catch (InterruptedException e) {
      // Nobody has a reason to interrupt this thread; it looks at the clock again.
      return true;
    } finally {
      LOCK.unlock();
    }
  }

  /** Takes those out whose time is over, and plans the next look. */
  private static boolean collect(long now, List<Watch> due) {
    wake = now + IDLE;
    Watch each = HEAD.next;
    while (each != HEAD) {
      Watch next = each.next;
      if (each.deadline - now <= 0) {
        unlink(each);
        due.add(each);
      } else if (each.deadline - wake < 0) {
        wake = each.deadline;
      }
      each = next;
    }
    return !due.isEmpty();
  }

  private static void tell(Watch watch) {
    try {
      watch.expired();
    } catch (RuntimeException | Error e) {
      // The run goes on to its end, and its caller gets the result. Others still need this thread:
      // no deadline would ever reach a run again if it ended here.
    }
  }
}
