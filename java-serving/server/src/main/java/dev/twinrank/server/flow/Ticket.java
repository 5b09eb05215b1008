package dev.twinrank.server.flow;

import java.util.OptionalInt;

/** A request's place in the {@link Line}, which guards what changes. */
class Ticket {
  final Costs.Key key;
  final long bytes;
  final OptionalInt knownRows;

  /** The value of {@link System#nanoTime} from which on nobody waits for the answer. */
  final long deadline;

  private boolean large;
  private int rows;
  private long cost;
  private long since;
  private long waited;

  Ticket(Costs.Key key, long bytes, OptionalInt knownRows, long deadline) {
    this.key = key;
    this.bytes = bytes;
    this.knownRows = knownRows;
    this.deadline = deadline;
  }

  void estimated(boolean isLarge, int atRows, long atCost) {
    large = isLarge;
    rows = atRows;
    cost = atCost;
  }

  void waits(long now) {
    since = now;
  }

  void begins(long now) {
    waited = now - since;
    since = now;
  }

  boolean large() {
    return large;
  }

  int rows() {
    return rows;
  }

  long cost() {
    return cost;
  }

  /** Returns when it began to wait; once it has left the queue, when it began to run. */
  long since() {
    return since;
  }

  /** Returns how long it waited, in nanoseconds. */
  long waited() {
    return waited;
  }
}
