package dev.twinrank.server.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.server.flow.Line.Dropped;
import dev.twinrank.server.ops.Exchange.Protocol;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class LineTest {
  private static final long MILLI = 1_000_000;
  private static final long SECOND = 1_000 * MILLI;
  private static final int MAX_ROWS = 10_000;
  private static final int LARGE = 1_000;

  private final List<Dropped> dropped = new ArrayList<>();

  private static Line line(int workers) {
    FlowSettings settings =
        new FlowSettings(
            1 << 20,
            workers,
            Duration.ofSeconds(30),
            Duration.ofMillis(50),
            MAX_ROWS,
            LARGE,
            ConnectionSettings.defaults());
    return new Line(settings, 0);
  }

  private static Ticket ticket(int rows) {
    return ticket(rows, Long.MAX_VALUE / 2);
  }

  private static Ticket ticket(int rows, long deadline) {
    return new Ticket(
        new Costs.Key(Protocol.RANK, "m"), 100L * rows, OptionalInt.of(rows), deadline);
  }

  private Optional<Shed> offer(Line line, Ticket ticket, long now) {
    return line.offer(ticket, now, dropped);
  }

  /** Takes a request in that waits. */
  private Ticket waiting(Line line, int rows, long now) {
    Ticket ticket = ticket(rows);
    assertEquals(Optional.empty(), offer(line, ticket, now));
    return ticket;
  }

  private Ticket running(Line line, int rows, long now) {
    Ticket ticket = waiting(line, rows, now);
    assertSame(ticket, line.next(now, dropped));
    return ticket;
  }

  @Test
  void whatComesFirstRunsFirstAndNoMoreThanThereAreThreads() {
    Line line = line(2);
    Ticket a = running(line, 10, 0);
    running(line, 10, 0);
    Ticket c = waiting(line, 10, 1);
    Ticket d = waiting(line, 10, 2);
    assertNull(line.next(3, dropped));

    assertSame(c, line.finish(a, 4, OptionalInt.of(10), dropped));
    assertEquals(3, c.waited());
    assertSame(d, line.finish(c, 5, OptionalInt.of(10), dropped));
    assertEquals(List.of(), dropped);
  }

  @Test
  void whoReadTheClockBeforeARequestCameLetsItWaitNoNegativeTime() {
    Line line = line(2);
    Ticket ticket = waiting(line, 10, 7 * MILLI);
    assertEquals(0, line.stats(5 * MILLI).small().oldestNanos());
    assertSame(ticket, line.next(5 * MILLI, dropped));
    assertEquals(0, ticket.waited());
    assertEquals(7 * MILLI, ticket.since());
  }

  @Test
  void whatWaitedTooLongIsDroppedBeforeItRuns() {
    Line line = line(2);
    learn(line, MILLI);
    Ticket a = running(line, 10, SECOND);
    running(line, 10, SECOND);
    Ticket late = waiting(line, 10, SECOND);
    Ticket inTime = waiting(line, 10, SECOND + 1);

    assertSame(inTime, line.finish(a, SECOND + 50 * MILLI + 1, OptionalInt.of(10), dropped));
    assertEquals(List.of(new Dropped(late, Shed.AGE, 50 * MILLI + 1)), dropped);
    assertEquals(1L, line.stats(SECOND + 51 * MILLI).shed().get(Shed.AGE));
  }

  @Test
  void whatRunsForLongMayBeWaitedForTwiceAsLong() {
    Line line = line(2);
    Ticket slow = running(line, 10, 0);
    running(line, 10, 0);
    Ticket met = waiting(line, 10, 0);
    Ticket next = waiting(line, 10, 0);
    Ticket last = waiting(line, 10, 0);

    // Nothing was known of such requests until the first ended.
    assertSame(met, line.finish(slow, 300 * MILLI, OptionalInt.of(10), dropped));
    assertSame(next, line.finish(met, 600 * MILLI, OptionalInt.of(10), dropped));
    assertEquals(List.of(), dropped);
    assertNull(line.finish(next, 601 * MILLI, OptionalInt.of(10), dropped));
    assertEquals(List.of(new Dropped(last, Shed.AGE, 601 * MILLI)), dropped);
  }

  @Test
  void whatWaitedTooLongHearsItWhenTheNextOneComes() {
    Line line = line(2);
    running(line, 10, 0);
    running(line, 10, 0);
    Ticket late = waiting(line, 10, 0);
    waiting(line, 10, 60 * MILLI);
    assertEquals(List.of(new Dropped(late, Shed.AGE, 60 * MILLI)), dropped);
  }

  @Test
  void aDeadlineThatPassesWhileWaitingIsNoAge() {
    Line line = line(2);
    Ticket a = running(line, 10, 0);
    running(line, 10, 0);
    Ticket hurried = ticket(10, 20 * MILLI);
    assertEquals(Optional.empty(), offer(line, hurried, 0));

    assertNull(line.finish(a, 20 * MILLI, OptionalInt.of(10), dropped));
    assertEquals(List.of(new Dropped(hurried, Shed.DEADLINE, 20 * MILLI)), dropped);
  }

  @Test
  void aDeadlineThatHasPassedIsRefusedAlsoByAnIdleServer() {
    Line line = line(2);
    assertEquals(Optional.of(Shed.DEADLINE), offer(line, ticket(10, 5), 5));
    assertNull(line.next(5, dropped));
    assertEquals(1L, line.stats(5).shed().get(Shed.DEADLINE));
  }

  @Test
  void noMoreCandidatesWaitThanMay() {
    Line line = line(2);
    running(line, 10, 0);
    running(line, 10, 0);
    for (int i = 0; i < 10; i++) {
      waiting(line, MAX_ROWS / 10, 0);
    }
    assertEquals(Optional.of(Shed.ROWS), offer(line, ticket(1), 0));
    assertEquals(MAX_ROWS, line.stats(0).small().queuedRows());
  }

  @Test
  void moreWorkThanTheAgeAllowsIsRefused() {
    Line line = line(2);
    learn(line, 10 * MILLI);
    running(line, 10, SECOND);
    running(line, 10, SECOND);
    int taken = 0;
    while (offer(line, ticket(10), SECOND).isEmpty()) {
      taken++;
    }
    // Two threads, ten milliseconds each, fifty to wait; and the burst is over then.
    assertTrue(taken <= 10, "taken " + taken);
    FlowStats stats = line.stats(SECOND);
    assertTrue(stats.small().overloaded());
    assertTrue(stats.shed().get(Shed.LIMIT) > 0);
    assertEquals(4, stats.small().queued(), "what keeps two threads busy");
    assertEquals(6, stats.small().limit());
  }

  private void learn(Line line, long cost) {
    for (int i = 0; i < 20; i++) {
      Ticket ticket = running(line, 10, i * 20L * MILLI);
      assertNull(line.finish(ticket, i * 20L * MILLI + cost, OptionalInt.of(10), dropped));
    }
  }

  @Test
  void overloadEndsWhenWhatCameCouldHaveBeenDone() {
    Line line = line(2);
    learn(line, 10 * MILLI);
    running(line, 10, SECOND);
    running(line, 10, SECOND);
    for (int i = 0; i < 100; i++) {
      Optional<Shed> unused = offer(line, ticket(10), SECOND);
    }
    assertTrue(line.stats(SECOND + MILLI).small().overloaded());
    assertFalse(line.stats(SECOND + 200 * MILLI).small().overloaded());
  }

  @Test
  void largeOnesLeaveAThreadToSmallOnes() {
    Line line = line(2);
    Ticket small = running(line, 10, 0);
    assertNull(line.finish(small, 1, OptionalInt.of(10), dropped));
    running(line, LARGE + 1, 2);
    Ticket second = waiting(line, LARGE + 1, 2);
    assertNull(line.next(3, dropped), "the last thread is not for large ones");
    running(line, LARGE, 4);
    assertEquals(1, line.stats(4).large().queued());
    assertEquals(0, second.waited());
  }

  @Test
  void largeOnesHaveAllThreadsWhenNoSmallOneCame() {
    Line line = line(2);
    running(line, LARGE + 1, 0);
    running(line, LARGE + 1, 0);

    Line mixed = line(2);
    Ticket small = running(mixed, 10, 0);
    assertNull(mixed.finish(small, 1, OptionalInt.of(10), dropped));
    running(mixed, LARGE + 1, SECOND);
    running(mixed, LARGE + 1, SECOND);
  }

  @Test
  void largeOnesMayNotFillTheQueue() {
    Line line = line(4);
    for (int i = 0; i < 4; i++) {
      running(line, 10, 0);
    }
    waiting(line, MAX_ROWS / 2, 0);
    assertEquals(Optional.of(Shed.ROWS), offer(line, ticket(LARGE + 1), 0));
    waiting(line, MAX_ROWS / 10, 0);
  }

  @Test
  void candidatesAreEstimatedFromBytesWhereNobodySaysThem() {
    Line line = line(2);
    Costs.Key key = new Costs.Key(Protocol.RANK, "m");
    Ticket first = new Ticket(key, 64_000, OptionalInt.empty(), Long.MAX_VALUE / 2);
    assertEquals(Optional.empty(), offer(line, first, 0));
    assertSame(first, line.next(0, dropped));
    assertNull(line.finish(first, MILLI, OptionalInt.of(3_200), dropped));

    Ticket next = new Ticket(key, 60_000, OptionalInt.empty(), Long.MAX_VALUE / 2);
    assertEquals(Optional.empty(), offer(line, next, 2 * MILLI));
    assertEquals(3_000, next.rows());
    assertTrue(next.large());
    Ticket other =
        new Ticket(
            new Costs.Key(Protocol.RANK, "another"),
            60_000,
            OptionalInt.empty(),
            Long.MAX_VALUE / 2);
    assertEquals(Optional.empty(), offer(line, other, 2 * MILLI));
    assertEquals(600, other.rows(), "the first guess");
  }

  @Test
  void whoseClientHungUpGivesUpItsPlace() {
    Line line = line(2);
    Ticket a = running(line, 10, 0);
    running(line, 10, 0);
    Ticket gone = waiting(line, 10, 0);
    assertTrue(line.withdraw(gone));
    assertFalse(line.withdraw(gone));
    assertFalse(line.withdraw(a), "it runs already");
    Ticket next = waiting(line, 10, 1);
    Ticket begun = line.finish(a, 2, OptionalInt.of(10), dropped);
    assertNotSame(gone, begun);
    assertSame(next, begun);
    assertEquals(1L, line.stats(2).shed().get(Shed.HUNG_UP));
    assertEquals(0, line.stats(2).small().queuedRows());
  }
}
