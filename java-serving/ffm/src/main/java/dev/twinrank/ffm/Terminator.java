package dev.twinrank.ffm;

import dev.twinrank.core.internal.engine.GraphFailure;

/** Ends one run from any thread, and nothing once that run is over. Thread-safe. */
final class Terminator implements Runnable {
  private final Api api;
  private final long runOptions;
  private boolean over;
  private boolean used;

  Terminator(Api api, long runOptions) {
    this.api = api;
    this.runOptions = runOptions;
  }

  @Override
  public synchronized void run() {
    if (over) {
      return;
    }
    used = true;
    try {
      api.terminate(runOptions);
    } catch (GraphFailure e) {
      throw new IllegalStateException("ONNX Runtime could not end a run", e);
    }
  }

  /** Lets go of the options, and says whether they were told to terminate. */
  synchronized boolean end() {
    over = true;
    return used;
  }
}
