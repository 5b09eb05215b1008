package dev.twinrank.server.flow;

import java.util.ArrayDeque;

/** Requests of one kind: those that wait, in order, and how many run. Guarded by its line. */
final class Lane {
  private static final double WEIGHT = 0.1;

  /** How far behind the imagined queue may fall, in bursts: as long is the way back. */
  private static final int DEEPEST = 4;

  /** So many times as long as requests run, each may wait: one that is met is not yet a queue. */
  private static final int PATIENCE = 2;

  final ArrayDeque<Ticket> queue = new ArrayDeque<>();
  int running;
  boolean overloaded;
  private long queuedCost;
  private long queuedRows;
  private double meanCost;
  private double imagined;

  long queuedCost() {
    return queuedCost;
  }

  long queuedRows() {
    return queuedRows;
  }

  void add(Ticket ticket) {
    queue.add(ticket);
    queuedCost += ticket.cost();
    queuedRows += ticket.rows();
  }

  Ticket poll() {
    Ticket ticket = queue.remove();
    forget(ticket);
    return ticket;
  }

  boolean remove(Ticket ticket) {
    boolean waited = queue.remove(ticket);
    if (waited) {
      forget(ticket);
    }
    return waited;
  }

  private void forget(Ticket ticket) {
    queuedCost -= ticket.cost();
    queuedRows -= ticket.rows();
  }

  /** Learns what a request of this lane cost. */
  void ran(long nanos) {
    meanCost = meanCost == 0 ? nanos : meanCost + WEIGHT * (nanos - meanCost);
  }

  /**
   * Returns how long a request may wait at least, in nanoseconds: where requests run for longer
   * than the longest age, two that meet are no overload.
   *
   * @param cost how long this one will run
   */
  long patience(long cost) {
    return PATIENCE * Math.max(cost, (long) meanCost);
  }

  /**
   * Lets a queue that takes everything be worked off: how long it is tells how much more comes than
   * can be done, which the queue that is bounded cannot.
   *
   * @param work what the threads did since, in nanoseconds
   * @param burst how much may wait
   */
  void workOff(long work, long burst) {
    imagined = Math.max(0, imagined - work);
    if (imagined <= burst / 2.0) {
      overloaded = false;
    }
  }

  /**
   * Lets a request come to the queue that takes everything.
   *
   * @return whether that is the beginning of overload
   */
  boolean came(long cost, long burst) {
    imagined = Math.min(imagined + cost, (double) burst * DEEPEST);
    boolean begins = !overloaded && imagined > burst;
    overloaded |= begins;
    return begins;
  }

  /** Returns how many requests make up so much work; at least {@code least}. */
  int requests(long work, int least) {
    return meanCost == 0 ? least : (int) Math.max(least, Math.min(work / meanCost, 1 << 20));
  }
}
