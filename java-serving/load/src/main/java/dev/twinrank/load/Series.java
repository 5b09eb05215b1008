package dev.twinrank.load;

import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/** What happened in each second, by the moment of the answer. Confined to the event loop. */
final class Series {
  private static final long SECOND = 1_000_000_000L;

  /**
   * One second.
   *
   * @param second since the start
   * @param phase in which it began
   * @param due requests that were due in it
   * @param admitted answers with the work done
   * @param refused answers that said no for now
   * @param other answers of any other kind
   * @param failed requests that ended without an answer
   * @param p50 microseconds of the admitted, from when they were due
   * @param p99 the same
   */
  record Second(
      long second,
      String phase,
      long due,
      long admitted,
      long refused,
      long other,
      long failed,
      double p50,
      double p99) {}

  private final long start;
  private final List<Second> seconds = new ArrayList<>();
  private final Histogram latency = new Histogram(600 * SECOND, 3);
  private long admitted;
  private long refused;
  private long other;
  private long current;
  private long due;
  private long failed;
  private String phase = "";

  Series(long start) {
    this.start = start;
  }

  void phase(String name, long now) {
    roll(now);
    phase = name;
  }

  void due(long now) {
    roll(now);
    due++;
  }

  void answered(Tally.Outcome outcome, long nanos, long now) {
    roll(now);
    switch (outcome) {
      case ADMITTED -> {
        admitted++;
        latency.recordValue(Math.min(nanos, 600 * SECOND));
      }
      case REFUSED -> refused++;
      case OTHER -> other++;
    }
  }

  void failed(long now) {
    roll(now);
    failed++;
  }

  /** Returns every second that has ended, and the one that has not. */
  List<Second> seconds() {
    List<Second> all = new ArrayList<>(seconds);
    all.add(taken());
    return all;
  }

  private void roll(long now) {
    long second = (now - start) / SECOND;
    while (current < second) {
      seconds.add(taken());
      current++;
      due = 0;
      failed = 0;
      admitted = 0;
      refused = 0;
      other = 0;
      latency.reset();
    }
  }

  private Second taken() {
    return new Second(
        current,
        phase,
        due,
        admitted,
        refused,
        other,
        failed,
        latency.getValueAtPercentile(50) / 1e3,
        latency.getValueAtPercentile(99) / 1e3);
  }
}
