package dev.twinrank.benchmarks;

/** A way of scoring with one model. Thread-safe. */
public interface Contestant extends AutoCloseable {

  /** How many candidates are wanted of each slate, best first. */
  int K = 10;

  /**
   * Makes a caller for one thread.
   *
   * @param requests all of one number of candidates
   */
  Caller caller(Request[] requests) throws Exception;

  @Override
  void close();
}
