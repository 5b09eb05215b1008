package dev.twinrank.server;

import java.time.Duration;
import java.util.Optional;

/** Whether ranking requests are taken, and how many are being answered. Thread-safe. */
final class Gate {
  private enum State {
    STARTING,
    READY,
    DRAINING
  }

  private State state = State.STARTING;
  private int inFlight;

  /**
   * Takes a request in.
   *
   * @return empty if it is taken, and then {@link #leave} must follow; else why it is not
   */
  synchronized Optional<String> enter() {
    Optional<String> closed = closed();
    if (closed.isEmpty()) {
      inFlight++;
    }
    return closed;
  }

  /** Lets a request out, once its answer has been written or given up. */
  synchronized void leave() {
    inFlight--;
    if (inFlight == 0) {
      notifyAll();
    }
  }

  /** Returns why requests are not taken; empty if they are. */
  synchronized Optional<String> closed() {
    return switch (state) {
      case STARTING ->
          Optional.of("the server is starting: its models are not verified yet; try again");
      case READY -> Optional.empty();
      case DRAINING -> Optional.of("the server is draining; send the request to another one");
    };
  }

  synchronized boolean draining() {
    return state == State.DRAINING;
  }

  /** Starts to take requests, unless draining has begun. */
  synchronized void open() {
    if (state == State.STARTING) {
      state = State.READY;
    }
  }

  /** Takes no more requests, for good. */
  synchronized void drain() {
    state = State.DRAINING;
  }

  /**
   * Waits until no request is being answered.
   *
   * @return whether that happened within the limit
   */
  synchronized boolean awaitIdle(Duration limit) throws InterruptedException {
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
