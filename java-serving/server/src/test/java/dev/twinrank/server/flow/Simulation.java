package dev.twinrank.server.flow;

import dev.twinrank.server.flow.Line.Dropped;
import dev.twinrank.server.ops.Exchange.Protocol;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.function.ToLongFunction;

/**
 * A line and its threads in a time of their own: the same seed gives the same figures on every
 * machine. Not thread-safe.
 */
final class Simulation {
  static final long MILLI = 1_000_000;
  static final long SECOND = 1_000 * MILLI;

  /** A request: when it came, and when it was answered or refused. */
  static final class Sim extends Ticket {
    final String kind;
    final long came;
    final long service;
    final int rows;
    long answered = -1;
    Shed refused;
    long refusedAt;

    Sim(String kind, long came, long service, int rows, long bytes) {
      super(new Costs.Key(Protocol.RANK, "m"), bytes, OptionalInt.empty(), Long.MAX_VALUE / 2);
      this.kind = kind;
      this.came = came;
      this.service = service;
      this.rows = rows;
    }
  }

  private record End(long at, Sim sim) {}

  private final Line line;
  private final int workers;
  private final Random random;
  private final List<Sim> arrivals = new ArrayList<>();
  private final PriorityQueue<End> running = new PriorityQueue<>(Comparator.comparingLong(End::at));
  int mostRunning;

  Simulation(FlowSettings settings, long seed) {
    line = new Line(settings, 0);
    workers = settings.workers();
    random = new Random(seed);
  }

  /**
   * Lets requests of one kind come by Poisson at a rate, each with a service time around a mean.
   */
  Simulation load(
      String kind,
      int rows,
      double perSecond,
      long meanService,
      double spread,
      long from,
      long to) {
    double at = from;
    while (true) {
      at += -Math.log(1 - random.nextDouble()) * SECOND / perSecond;
      if (at >= to) {
        return this;
      }
      double factor = Math.max(0.2, 1 + spread * random.nextGaussian());
      arrivals.add(new Sim(kind, (long) at, (long) (meanService * factor), rows, 100L * rows));
    }
  }

  /** Runs to the end, and returns every request. */
  List<Sim> run() {
    arrivals.sort(Comparator.comparingLong(sim -> sim.came));
    int next = 0;
    List<Dropped> dropped = new ArrayList<>();
    while (next < arrivals.size() || !running.isEmpty()) {
      if (running.isEmpty()
          || (next < arrivals.size() && arrivals.get(next).came <= running.peek().at())) {
        Sim sim = arrivals.get(next++);
        Shed refused = line.offer(sim, sim.came, dropped).orElse(null);
        if (refused != null) {
          sim.refused = refused;
          sim.refusedAt = sim.came;
        }
        Ticket start = line.next(sim.came, dropped);
        while (start != null) {
          begin(start, sim.came);
          start = line.next(sim.came, dropped);
        }
        note(dropped, sim.came);
      } else {
        End end = running.remove();
        end.sim().answered = end.at();
        Ticket start = line.finish(end.sim(), end.at(), OptionalInt.of(end.sim().rows), dropped);
        if (start != null) {
          begin(start, end.at());
        }
        note(dropped, end.at());
      }
    }
    return arrivals;
  }

  FlowStats stats(long now) {
    return line.stats(now);
  }

  private void begin(Ticket ticket, long now) {
    Sim sim = (Sim) ticket;
    running.add(new End(now + sim.service, sim));
    mostRunning = Math.max(mostRunning, running.size());
    if (running.size() > workers) {
      throw new AssertionError("more run than there are threads");
    }
  }

  private static void note(List<Dropped> dropped, long now) {
    for (Dropped each : dropped) {
      ((Sim) each.ticket()).refused = each.why();
      ((Sim) each.ticket()).refusedAt = now;
    }
    dropped.clear();
  }

  /** Returns a quantile of how long the admitted ones of a kind took, in milliseconds. */
  static double latency(List<Sim> sims, String kind, double quantile, long from, long to) {
    return quantile(sims, kind, quantile, from, to, sim -> sim.answered - sim.came);
  }

  private static double quantile(
      List<Sim> sims, String kind, double quantile, long from, long to, ToLongFunction<Sim> what) {
    long[] sorted =
        sims.stream()
            .filter(s -> s.kind.equals(kind) && s.came >= from && s.came < to && s.answered >= 0)
            .mapToLong(what)
            .sorted()
            .toArray();
    return sorted.length == 0
        ? Double.NaN
        : sorted[(int) Math.min(sorted.length - 1L, (long) (quantile * sorted.length))]
            / (double) MILLI;
  }

  /** Returns how many of a kind were answered a second. */
  static double goodput(List<Sim> sims, String kind, long from, long to) {
    return sims.stream()
            .filter(s -> s.kind.equals(kind) && s.answered >= from && s.answered < to)
            .count()
        / ((to - from) / (double) SECOND);
  }

  static long refused(List<Sim> sims, String kind, long from, long to) {
    return sims.stream()
        .filter(s -> s.kind.equals(kind) && s.came >= from && s.came < to && s.refused != null)
        .count();
  }
}
