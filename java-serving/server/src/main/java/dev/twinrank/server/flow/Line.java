package dev.twinrank.server.flow;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * Who waits, who runs and who is turned away. It starts no thread and reads no clock: the caller
 * says what time it is. Thread-safe.
 *
 * <p>What may wait is bounded by the time that it will take, which is learned ({@link Costs}): a
 * burst may make a request wait as long as the longest age, and once more comes than the threads
 * can do, only as much waits as keeps them busy. Each of the two lanes has such a bound of its own.
 */
final class Line {
  /**
   * A request that waited in vain.
   *
   * @param why the reason
   * @param nanos how long it had waited
   */
  record Dropped(Ticket ticket, Shed why, long nanos) {}

  /**
   * Under overload this part of the longest age keeps short requests from leaving a thread idle.
   */
  private static final int STANDING_SHARE = 25;

  /** So many long requests wait for each thread even under overload. */
  private static final int WAITING_A_THREAD = 2;

  /** How long after a small request a thread is kept free of large ones. */
  private static final long RESERVED = TimeUnit.SECONDS.toNanos(1);

  private final int workers;
  private final int largeSlate;
  private final long maxAge;
  private final long maxRows;
  private final Costs costs = new Costs();
  private final Lane small = new Lane();
  private final Lane large = new Lane();
  private final Map<Shed, Long> shed = new EnumMap<>(Shed.class);
  private long lastSmall;
  private long last;

  Line(FlowSettings settings, long now) {
    workers = settings.workers();
    largeSlate = settings.largeSlate();
    maxAge = settings.queueAge().toNanos();
    maxRows = settings.queueRows();
    lastSmall = now - RESERVED;
    last = now;
    for (Shed why : Shed.values()) {
      shed.put(why, 0L);
    }
  }

  /**
   * Takes a request in, or does not.
   *
   * @param read the clock
   * @param dropped is given those that had waited too long by now
   * @return why it is not taken
   */
  synchronized Optional<Shed> offer(Ticket ticket, long read, List<Dropped> dropped) {
    long now = pass(read);
    int rows = ticket.knownRows.orElseGet(() -> costs.rows(ticket.key, ticket.bytes));
    ticket.estimated(rows > largeSlate, rows, costs.nanos(ticket.key, ticket.bytes));
    Lane lane = lane(ticket);
    if (!ticket.large()) {
      lastSmall = now;
    }
    int threads = threads(lane);
    dropLate(lane, now, dropped);
    if (lane.came(ticket.cost(), threads * maxAge)) {
      dropExcess(lane, threads, now, dropped);
    }
    Shed refused = now - ticket.deadline >= 0 ? Shed.DEADLINE : refusal(lane, rows, threads);
    if (refused != null) {
      count(refused);
      return Optional.of(refused);
    }
    ticket.waits(now);
    lane.add(ticket);
    return Optional.empty();
  }

  private Shed refusal(Lane lane, int rows, int threads) {
    if (lane.queue.isEmpty() && small.running + large.running < workers) {
      return null;
    }
    long room = lane == large ? maxRows / 2 : maxRows;
    if (!lane.queue.isEmpty()
        && (lane.queuedRows() + rows > room
            || small.queuedRows() + large.queuedRows() + rows > maxRows)) {
      return Shed.ROWS;
    }
    return full(lane, threads) ? Shed.LIMIT : null;
  }

  private boolean full(Lane lane, int threads) {
    return lane.queue.size() >= WAITING_A_THREAD * threads
        && lane.queuedCost() >= threads * allowed(lane);
  }

  /** Returns what is to run now, and lets it begin; null if nothing is. */
  synchronized Ticket next(long read, List<Dropped> dropped) {
    return begin(pass(read), dropped);
  }

  /**
   * Ends what {@link #next} began.
   *
   * @param rows how many candidates it had, if that came out
   * @return what is to run in its place; null if nothing is
   */
  synchronized Ticket finish(Ticket ticket, long read, OptionalInt rows, List<Dropped> dropped) {
    long now = pass(read);
    Lane lane = lane(ticket);
    lane.running--;
    lane.ran(now - ticket.since());
    costs.learn(ticket.key, ticket.bytes, now - ticket.since(), rows);
    return begin(now, dropped);
  }

  /** Takes a request out again; returns false if it waits no more. */
  synchronized boolean withdraw(Ticket ticket) {
    boolean waited = lane(ticket).remove(ticket);
    if (waited) {
      count(Shed.HUNG_UP);
    }
    return waited;
  }

  synchronized FlowStats stats(long read) {
    long now = pass(read);
    return new FlowStats(stats(small, now), stats(large, now), new EnumMap<>(shed));
  }

  private FlowStats.Lane stats(Lane lane, long now) {
    int threads = threads(lane);
    return new FlowStats.Lane(
        threads + lane.requests(threads * allowed(lane), WAITING_A_THREAD * threads),
        lane.running,
        lane.queue.size(),
        lane.queuedRows(),
        lane.queue.isEmpty() ? 0 : now - lane.queue.peek().since(),
        lane.overloaded);
  }

  private Ticket begin(long now, List<Dropped> dropped) {
    dropLate(small, now, dropped);
    dropLate(large, now, dropped);
    if (small.running + large.running >= workers) {
      return null;
    }
    boolean largeMay = !large.queue.isEmpty() && large.running < threads(large);
    if (small.queue.isEmpty() && !largeMay) {
      return null;
    }
    // First come, first served, across the lanes too: neither starves.
    Lane lane =
        !largeMay
                || (!small.queue.isEmpty()
                    && small.queue.peek().since() - large.queue.peek().since() <= 0)
            ? small
            : large;
    Ticket ticket = lane.poll();
    ticket.begins(now);
    lane.running++;
    return ticket;
  }

  /** Overload has begun: those that waited longest make room, as the rest is answered sooner. */
  private void dropExcess(Lane lane, int threads, long now, List<Dropped> dropped) {
    while (full(lane, threads)) {
      drop(lane, Shed.LIMIT, now, dropped);
    }
  }

  private void dropLate(Lane lane, long now, List<Dropped> dropped) {
    while (!lane.queue.isEmpty()) {
      Ticket head = lane.queue.peek();
      boolean expired = now - head.deadline >= 0;
      if (!expired && now - head.since() <= Math.max(maxAge, lane.patience(head.cost()))) {
        return;
      }
      drop(lane, expired ? Shed.DEADLINE : Shed.AGE, now, dropped);
    }
  }

  private void drop(Lane lane, Shed why, long now, List<Dropped> dropped) {
    Ticket head = lane.poll();
    dropped.add(new Dropped(head, why, now - head.since()));
    count(why);
  }

  /**
   * Lets time pass: the threads that a lane could have had worked for it.
   *
   * @param read the clock as a caller read it, who may have stood before the lock since: another's
   *     request that came later is in the queue by then, and must not have waited less than nothing
   * @return the time that it is
   */
  private long pass(long read) {
    long nanos = Math.max(0, read - last);
    last += nanos;
    for (Lane lane : List.of(small, large)) {
      Lane other = lane == small ? large : small;
      int threads = threads(lane);
      lane.workOff(nanos * Math.min(threads, workers - other.running), threads * maxAge);
    }
    return last;
  }

  /** Returns how many threads a lane may have. */
  private int threads(Lane lane) {
    boolean reserved = lane == large && last - lastSmall < RESERVED;
    return reserved ? workers - 1 : workers;
  }

  private Lane lane(Ticket ticket) {
    return ticket.large() ? large : small;
  }

  private long allowed(Lane lane) {
    return lane.overloaded ? maxAge / STANDING_SHARE : maxAge;
  }

  private void count(Shed why) {
    shed.merge(why, 1L, Long::sum);
  }
}
