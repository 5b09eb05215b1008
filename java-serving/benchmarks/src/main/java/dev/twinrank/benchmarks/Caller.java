package dev.twinrank.benchmarks;

/** One thread's way of scoring the requests of one size. Not thread-safe. */
public interface Caller extends AutoCloseable {

  /** Answers a request of the pool; this is what is timed. */
  void call(int request) throws Exception;

  /** Returns a copy of the scores of the last call, in input order; empty if it makes none. */
  float[] scores();

  /** Returns the best candidates of the last call, best first; empty if it orders none. */
  int[] best();

  @Override
  default void close() {}
}
