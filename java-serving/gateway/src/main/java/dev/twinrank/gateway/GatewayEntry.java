package dev.twinrank.gateway;

import dev.twinrank.probe.Testee;

/**
 * What Python finds as {@code gateway.entry_point}: the probe protocol, one frame a call.
 * Thread-safe.
 *
 * <p>Public only because Py4J calls it by reflection; Java code uses {@link Testee}.
 *
 * @since 0.1
 */
public final class GatewayEntry {
  private final Testee testee;

  GatewayEntry(Testee testee) {
    this.testee = testee;
  }

  /**
   * Answers one frame of the contract's section 12.
   *
   * @param frame the bytes of one request, lengths included
   * @return the bytes of the response, lengths included
   */
  public byte[] handle(byte[] frame) {
    return testee.handle(frame);
  }
}
