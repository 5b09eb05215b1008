package dev.twinrank.server;

import dev.twinrank.server.api.SecuritySettings;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.LifeSettings;
import dev.twinrank.server.ops.OpsSettings;
import java.util.OptionalInt;

/**
 * What a server is made with. Immutable and thread-safe.
 *
 * @param host the address to listen on
 * @param port the port of the service; 0 takes a free one
 * @param adminPort the port of health, metrics and administration; 0 takes a free one, empty has
 *     none
 * @param flow what bounds its work
 * @param life how models come and go, and how it ends
 * @param ops what operators see
 * @param security who may connect, and how
 */
record Settings(
    String host,
    int port,
    OptionalInt adminPort,
    FlowSettings flow,
    LifeSettings life,
    OpsSettings ops,
    SecuritySettings security) {
  /** Returns settings for a loopback server on free ports. */
  static Settings loopback() {
    return new Settings(
        "127.0.0.1",
        0,
        OptionalInt.of(0),
        FlowSettings.defaults(),
        LifeSettings.defaults(),
        OpsSettings.defaults(),
        SecuritySettings.NONE);
  }

  /** Returns these settings with other bounds of the work. */
  Settings with(FlowSettings value) {
    return new Settings(host, port, adminPort, value, life, ops, security);
  }

  /** Returns these settings with other ways of models. */
  Settings with(LifeSettings value) {
    return new Settings(host, port, adminPort, flow, value, ops, security);
  }

  /** Returns these settings with other rules of who may connect. */
  Settings with(SecuritySettings value) {
    return new Settings(host, port, adminPort, flow, life, ops, value);
  }
}
