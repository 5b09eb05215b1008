package dev.twinrank.core;

import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.life.Watchdog;
import dev.twinrank.core.internal.pack.Refusals;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Ends scoring early: at a deadline, or when somebody says so. Thread-safe.
 *
 * <p>One object serves one request, and every call that is made for it: on any thread, one after
 * the other or at once. It is never reset.
 *
 * <pre>{@code
 * Cancellation cancellation = Cancellation.after(Duration.ofMillis(50));
 * Ranking top = model.rank(slate, 10, cancellation);
 * }</pre>
 *
 * <p>A call that is given one looks at it before it packs and directly before the graph runs, and
 * then throws {@link ScoringException} with {@code cancelled} or {@code deadline_exceeded} instead
 * of running. A graph that runs already is told to stop, which it does before its next node: a
 * single long node is not interrupted. If the run was stopped, the call throws the same; if it had
 * finished by then, the call returns its result, however late. Either way the model goes on, and
 * gives the same bits as ever.
 *
 * @since 0.1
 */
public final class Cancellation {
  // Far enough, and near enough for differences of the clock's values to stay positive.
  private static final long LONGEST = Long.MAX_VALUE >> 1;

  private final Object lock = new Object();
  private final List<Run> running = new ArrayList<>(1);
  private volatile boolean cancelled;
  // The deadline is written first and read last; the lock orders those who write.
  private volatile boolean limited;
  private volatile long deadline;

  private Cancellation(boolean limited, long deadline) {
    this.limited = limited;
    this.deadline = deadline;
  }

  /**
   * Returns one that ends calls after a time, counted from now by {@link System#nanoTime}, and can
   * be cancelled before that.
   *
   * @param time none left if zero or negative: every call is refused then
   */
  public static Cancellation after(Duration time) {
    return new Cancellation(true, fromNow(time));
  }

  private static long fromNow(Duration time) {
    long nanos;
    try {
      nanos = Math.min(time.toNanos(), LONGEST);
    } catch (ArithmeticException e) {
      nanos = time.isNegative() ? 0 : LONGEST;
    }
    return System.nanoTime() + Math.max(nanos, 0);
  }

  /** Returns one without a deadline, for {@link #cancel}. */
  public static Cancellation create() {
    return new Cancellation(false, 0);
  }

  /**
   * Brings the deadline forward, for whoever learns only while reading a request how long its
   * caller waits. A nearer deadline stays, and calls that have begun keep the one that they had.
   *
   * @param time how long calls may go on from now; none left if zero or negative
   */
  public void limit(Duration time) {
    long at = fromNow(time);
    synchronized (lock) {
      if (!limited || at - deadline < 0) {
        deadline = at;
        limited = true;
      }
    }
  }

  /**
   * Ends every call that was given this object, and refuses those to come. Idempotent; does not
   * wait for them.
   */
  public void cancel() {
    synchronized (lock) {
      cancelled = true;
      for (int i = 0; i < running.size(); i++) {
        running.get(i).stop(ErrorCode.CANCELLED);
      }
    }
  }

  /** Returns whether {@link #cancel} was called. */
  public boolean isCancelled() {
    return cancelled;
  }

  /** Returns whether calls are refused from now on: cancelled, or past the deadline. */
  public boolean isDone() {
    return reason() != null;
  }

  /**
   * Throws if {@link #isDone}: for work of the caller's own between two calls.
   *
   * @throws ScoringException {@code cancelled} or {@code deadline_exceeded}
   */
  public void check() {
    ErrorCode reason = reason();
    if (reason != null) {
      throw refusal(reason, null);
    }
  }

  private ErrorCode reason() {
    if (cancelled) {
      return ErrorCode.CANCELLED;
    }
    return limited && System.nanoTime() - deadline >= 0 ? ErrorCode.DEADLINE_EXCEEDED : null;
  }

  static ScoringException refusal(ErrorCode reason, Throwable cause) {
    return Refusals.request(
        reason,
        reason == ErrorCode.CANCELLED
            ? "the caller cancelled this request; nothing was scored"
            : "the deadline of this request passed before its scores were there; give it more time,"
                + " fewer candidates or a smaller model",
        cause);
  }

  /** Returns what stands for one call's run. */
  Run run() {
    synchronized (lock) {
      return new Run(limited, deadline);
    }
  }

  /** One run of a graph: what an engine is given to be stopped by. */
  final class Run extends Watchdog.Watch implements Workspace.Stop {
    private final boolean timed;
    private Runnable terminate;
    private ErrorCode reason;

    private Run(boolean timed, long deadline) {
      super(deadline);
      this.timed = timed;
    }

    @Override
    public boolean attach(Runnable action) {
      synchronized (lock) {
        reason = Cancellation.this.reason();
        if (reason != null) {
          return false;
        }
        terminate = action;
        running.add(this);
      }
      boolean watched = !timed;
      try {
        if (timed) {
          Watchdog.add(this);
          watched = true;
        }
      } finally {
        if (!watched) {
          detach(); // no thread could be started; the caller's run does not begin
        }
      }
      return true;
    }

    @Override
    public void detach() {
      if (timed) {
        Watchdog.remove(this);
      }
      // Whoever terminates holds the lock meanwhile, so that nobody does after this.
      synchronized (lock) {
        terminate = null;
        running.remove(this);
      }
    }

    @Override
    protected void expired() {
      synchronized (lock) {
        stop(ErrorCode.DEADLINE_EXCEEDED);
      }
    }

    /** Tells the run to stop, if it still runs; the caller holds the lock. */
    private void stop(ErrorCode why) {
      if (terminate != null && reason == null) {
        terminate.run();
        reason = why;
      }
    }

    /** Returns why the run did not start or was told to stop, or null. */
    ErrorCode reason() {
      synchronized (lock) {
        return reason;
      }
    }
  }
}
