package dev.twinrank.server.ops;

/** Hears of every request for scores when its answer is known. Thread-safe. */
@FunctionalInterface
public interface ExchangeListener {
  /**
   * Called once for each exchange, before its answer is sent and on the thread that has it: be
   * quick, and throw nothing.
   *
   * @param outcome {@link Metrics#OK} or a code of the contract
   * @param nanos from the request's last byte received to its answer ready to be sent
   */
  void finished(Exchange exchange, String outcome, long nanos);
}
