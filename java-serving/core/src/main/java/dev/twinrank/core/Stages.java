package dev.twinrank.core;

/**
 * How long one request was in each stage; reads no clock unless somebody listens. Not thread-safe.
 *
 * <p>Each lap gives the time since the one before, or since {@link #begin}, to its stage.
 */
final class Stages {
  /** Takes no times, and may be shared because it never changes. */
  static final Stages OFF = new Stages(false);

  private static final long NEVER = -1;

  private final boolean on;
  private long last;
  private long keys = NEVER;
  private long pack = NEVER;
  private long run = NEVER;
  private long order = NEVER;

  private Stages(boolean on) {
    this.on = on;
  }

  /** Returns a watch of one's own. */
  static Stages on() {
    return new Stages(true);
  }

  /** Forgets everything, for the next request. */
  void reset() {
    if (on) {
      keys = NEVER;
      pack = NEVER;
      run = NEVER;
      order = NEVER;
    }
  }

  /** Forgets the run and the order, so that a request that is scored again is timed anew. */
  void again() {
    if (on) {
      run = NEVER;
      order = NEVER;
    }
  }

  /** Starts the first lap, or the next one after a time that belongs to no stage. */
  void begin() {
    if (on) {
      last = System.nanoTime();
    }
  }

  /** Ends a lap of encoding string columns. */
  void keys() {
    if (on) {
      keys = Math.max(keys, 0) + lap();
    }
  }

  /** Ends a lap of anything else before the run. */
  void pack() {
    if (on) {
      pack = Math.max(pack, 0) + lap();
    }
  }

  /** Adds a time of packing that was taken before; −1 if none was. */
  void packed(long nanos) {
    if (on && nanos != NEVER) {
      pack = Math.max(pack, 0) + nanos;
    }
  }

  /** Ends the run. */
  void run() {
    if (on) {
      run = Math.max(run, 0) + lap();
    }
  }

  /** Ends a lap of ordering and of copying the answer. */
  void order() {
    if (on) {
      order = Math.max(order, 0) + lap();
    }
  }

  long keysNanos() {
    return keys;
  }

  long packNanos() {
    return pack;
  }

  long runNanos() {
    return run;
  }

  long orderNanos() {
    return order;
  }

  private long lap() {
    long now = System.nanoTime();
    long elapsed = now - last;
    last = now;
    return elapsed;
  }
}
