package dev.twinrank.server.life;

/** Hears how every attempt to load a version ended. */
@FunctionalInterface
public interface LoadListener {
  /** What is told of a version that can be served. */
  String OK = "ok";

  /**
   * A version was loaded, or a version was not loaded or not activated.
   *
   * @param result {@value #OK}, or the contract's code of what is wrong
   */
  void ended(String result);
}
