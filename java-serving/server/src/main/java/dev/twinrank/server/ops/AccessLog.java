package dev.twinrank.server.ops;

import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/** One line of the log for a request, under the logger {@code access}. Thread-safe. */
public final class AccessLog implements ExchangeListener {
  private static final Logger LOG = LoggerFactory.getLogger("access");
  private static final double NANOS_PER_MILLI = 1e6;

  /** Which requests have a line. */
  public enum Which {
    /** None. */
    NONE,
    /** Those that were refused. */
    REFUSED,
    /** All. */
    ALL
  }

  private final Which which;

  /** Makes a log of these requests. */
  public AccessLog(Which which) {
    this.which = which;
  }

  @Override
  public void finished(Exchange exchange, String outcome, long nanos) {
    if (which == Which.NONE || (which == Which.REFUSED && outcome.equals(Metrics.OK))) {
      return;
    }
    exchange.enterThread();
    try {
      LoggingEventBuilder line =
          LOG.atInfo()
              .addKeyValue("protocol", exchange.protocol().label())
              .addKeyValue("model", exchange.model())
              .addKeyValue("outcome", outcome)
              .addKeyValue("ms", millis(nanos));
      if (exchange.queuedNanos().isPresent()) {
        line = line.addKeyValue("queue_ms", millis(exchange.queuedNanos().getAsLong()));
      }
      if (exchange.version().isPresent()) {
        line = line.addKeyValue("version", exchange.version().getAsLong());
      }
      if (exchange.digest().isPresent()) {
        line = line.addKeyValue("bundle", exchange.digest().get());
      }
      if (exchange.candidates().isPresent()) {
        line = line.addKeyValue("candidates", exchange.candidates().getAsInt());
      }
      line.log("request");
    } finally {
      Exchange.leaveThread();
    }
  }

  private static double millis(long nanos) {
    return Double.parseDouble(String.format(Locale.ROOT, "%.3f", nanos / NANOS_PER_MILLI));
  }
}
