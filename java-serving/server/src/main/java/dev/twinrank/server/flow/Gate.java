package dev.twinrank.server.flow;

import java.time.Duration;
import java.util.Optional;

/** Whether ranking requests are taken, and how many are being answered. Thread-safe. */
public final class Gate {
  private enum State {
    STARTING,
    READY,
    LEAVING,
    DRAINING
  }

  private State state = State.STARTING;
  private int inFlight;

  /**
   * Takes a request in.
   *
   * @return empty if it is taken, and then {@link #leave} must follow; else why it is not
   */
  public synchronized Optional<String> enter() {
    Optional<String> closed = state == State.LEAVING ? Optional.empty() : closed();
    if (closed.isEmpty()) {
      inFlight++;
    }
    return closed;
  }

  /** Lets a request out, once its answer has been written or given up. */
  public synchronized void leave() {
    inFlight--;
    if (inFlight == 0) {
      notifyAll();
    }
  }

  /** Returns why the server is not ready; empty if it is. */
  public synchronized Optional<String> closed() {
    return switch (state) {
      case STARTING ->
          Optional.of("the server is starting: its models are not verified yet; try again");
      case READY -> Optional.empty();
      case LEAVING, DRAINING ->
          Optional.of("the server is draining; send the request to another one");
    };
  }

  /** Returns whether the server is about to end: connections are not kept for the next request. */
  public synchronized boolean draining() {
    return state == State.LEAVING || state == State.DRAINING;
  }

  /** Is not ready any more, and takes requests still, until {@link #drain}. */
  public synchronized void announce() {
    if (state != State.DRAINING) {
      state = State.LEAVING;
    }
  }

  /** Starts to take requests, unless draining has begun. */
  public synchronized void open() {
    if (state == State.STARTING) {
      state = State.READY;
    }
  }

  /** Takes no more requests, for good. */
  public synchronized void drain() {
    state = State.DRAINING;
  }

  /**
   * Waits until no request is being answered.
   *
   * @return whether that happened within the limit
   */
  public synchronized boolean awaitIdle(Duration limit) throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    while (inFlight > 0) {
      long millis = (deadline - System.nanoTime()) / 1_000_000;
      if (millis <= 0) {
        return false;
      }
      wait(millis);
    }
    return true;
  }
}
