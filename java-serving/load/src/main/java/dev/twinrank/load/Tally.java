package dev.twinrank.load;

import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/** What became of the requests of one phase. Confined to the event loop until the run is over. */
final class Tally {
  /** What an answer says. */
  enum Outcome {
    /** The work was done. */
    ADMITTED,
    /** The server said that it would not now: 429, 503, 504 and what gRPC has for them. */
    REFUSED,
    /** Anything else, which a plan may ask for. */
    OTHER
  }

  private static final long HIGHEST = 600_000_000_000L;

  final Phase phase;
  long startedNanos;
  long endedNanos;
  boolean ended;
  long due;
  long sent;
  long answered;
  long bytesOut;
  long bytesIn;
  final Map<String, Long> byStatus = new TreeMap<>();
  final Map<String, Long> byCode = new TreeMap<>();
  final Map<String, Long> byLabel = new TreeMap<>();
  final Map<String, Long> byAnswer = new TreeMap<>();
  final Map<Trouble, Long> troubles = new EnumMap<>(Trouble.class);
  final Map<Outcome, Histogram> latency = new EnumMap<>(Outcome.class);
  final Histogram all = histogram();
  final Histogram service = histogram();
  final Histogram lateness = histogram();
  final Histogram waited = histogram();

  Tally(Phase phase) {
    this.phase = phase;
    for (Outcome outcome : Outcome.values()) {
      latency.put(outcome, histogram());
    }
  }

  private static Histogram histogram() {
    return new Histogram(HIGHEST, 3);
  }

  /** A request was given to a connection, now. */
  void sent(Exchange exchange, long now) {
    sent++;
    bytesOut += exchange.shot.http1().readableBytes();
    waited.recordValue(clamp(now - exchange.intended));
  }

  /** The driver turned to a request that was due. */
  void turned(long late) {
    lateness.recordValue(clamp(late));
  }

  /** Counts an answer and returns what it says. */
  Outcome answered(Exchange exchange, long now) {
    answered++;
    bytesIn += exchange.received;
    Outcome outcome = outcome(exchange);
    long nanos = clamp(now - exchange.intended);
    latency.get(outcome).recordValue(nanos);
    all.recordValue(nanos);
    service.recordValue(clamp(now - exchange.sent));
    String status = Integer.toString(exchange.status);
    byStatus.merge(status, 1L, Long::sum);
    String said = status;
    if (outcome != Outcome.ADMITTED) {
      String code = Codes.of(exchange);
      byCode.merge(code, 1L, Long::sum);
      said += " " + code;
    }
    if (!exchange.shot.label().isEmpty()) {
      byLabel.merge(exchange.shot.label() + " " + said, 1L, Long::sum);
    }
    return outcome;
  }

  /** Counts a request without an answer. */
  void failed(Exchange exchange, Trouble trouble) {
    bytesIn += exchange.received;
    troubles.merge(trouble, 1L, Long::sum);
  }

  /** Returns whether the phase is over and each of its requests has ended. */
  boolean complete() {
    return ended && due == answered + troubles.values().stream().mapToLong(Long::longValue).sum();
  }

  private static Outcome outcome(Exchange exchange) {
    return switch (exchange.grpcStatus) {
      case "", "0" -> {
        if (exchange.status / 100 == 2) {
          yield Outcome.ADMITTED;
        }
        yield switch (exchange.status) {
          case 429, 503, 504 -> Outcome.REFUSED;
          default -> Outcome.OTHER;
        };
      }
      case "4", "8", "14" -> Outcome.REFUSED;
      default -> Outcome.OTHER;
    };
  }

  private static long clamp(long nanos) {
    return Math.max(0, Math.min(nanos, HIGHEST));
  }
}
