package dev.twinrank.load;

import io.netty.channel.EventLoop;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Sends what is due when it is due. Everything here happens on one event loop, so that one core is
 * enough and nothing is locked.
 *
 * <p>At a fixed rate a request is due whatever became of those before it. Where every connection is
 * busy it waits here, and that wait is part of its latency.
 */
final class Driver implements Link.Owner {
  private static final long SWEEP_MILLIS = 10;
  private static final long BREATH_MILLIS = 10;

  /**
   * How a run is done.
   *
   * @param connections how many are open at most; all of them from the start
   * @param poisson whether the gaps of a fixed rate are exponential and not equal
   * @param seed of those gaps
   * @param timeoutNanos after which a request is given up
   * @param record whether the first answer to each request is kept
   * @param live whether more phases may be told while it runs
   */
  record Settings(
      int connections,
      boolean poisson,
      long seed,
      long timeoutNanos,
      boolean record,
      boolean live) {}

  /** Opens a connection and says so to its owner, or {@link #refused} if it cannot. */
  interface Connector {
    void connect(Driver driver);
  }

  /** A line that somebody outside wanted in the report. */
  record Mark(double seconds, String text) {}

  private final EventLoop loop;
  private final Connector connector;
  private final Shots shots;
  private final Answers answers;
  private final Settings settings;
  private final List<Phase> phases;
  private final SplittableRandom random;
  private final Consumer<Tally> done;
  private final CompletableFuture<Void> over = new CompletableFuture<>();
  private final List<Tally> tallies = new ArrayList<>();
  private final List<Mark> marks = new ArrayList<>();
  private final List<Link> links = new ArrayList<>();
  private final ArrayDeque<Link> free = new ArrayDeque<>();
  private final ArrayDeque<Exchange> waiting = new ArrayDeque<>();
  private final ArrayDeque<Exchange> underway = new ArrayDeque<>();
  private final List<byte[]> recorded = new ArrayList<>();
  private long start;
  private Series series;
  private Tally tally;
  private int turn;
  private int connecting;
  private int open;
  private long next;
  private boolean told;
  private boolean toldEarly;
  private boolean stopped;
  private boolean finishing;
  private int active;
  private boolean more;
  private boolean idle;
  private int complete;

  /**
   * Makes a driver; {@link #run} starts it.
   *
   * @param done hears of each phase when its last request has ended, on the event loop
   */
  Driver(
      EventLoop loop,
      Connector connector,
      Shots shots,
      Answers answers,
      Settings settings,
      List<Phase> phases,
      Consumer<Tally> done) {
    this.loop = loop;
    this.connector = connector;
    this.shots = shots;
    this.answers = answers;
    this.settings = settings;
    this.phases = new ArrayList<>(phases);
    this.done = done;
    this.more = settings.live();
    this.random = new SplittableRandom(settings.seed());
    start = System.nanoTime();
    series = new Series(start);
  }

  /** Connects and begins; the future completes when the last answer is there or given up. */
  CompletableFuture<Void> run() {
    loop.execute(
        () -> {
          for (int i = 0; i < settings.connections(); i++) {
            connect();
          }
          awaitConnections();
        });
    return over;
  }

  private void awaitConnections() {
    if (connecting > 0) {
      later(this::awaitConnections, 1, TimeUnit.MILLISECONDS);
      return;
    }
    start = System.nanoTime();
    series = new Series(start);
    for (int i = 0; settings.record() && i < shots.size(); i++) {
      recorded.add(new byte[0]);
    }
    sweep();
    begin(start);
  }

  /** Puts a line into the report. */
  void mark(String text) {
    loop.execute(() -> marks.add(new Mark((System.nanoTime() - start) / 1e9, text)));
  }

  /** Ends the phase that is on; if none is and one is to come, that one at its beginning. */
  void nextPhase() {
    loop.execute(
        () -> {
          told = tally != null;
          toldEarly |= tally == null && !idle;
        });
  }

  /** Adds a phase behind those that there are. */
  void add(Phase phase) {
    loop.execute(
        () -> {
          phases.add(phase);
          if (idle) {
            idle = false;
            begin(System.nanoTime());
          }
        });
  }

  /** No more phases will be added; the run ends with the last one. */
  void noMore() {
    loop.execute(
        () -> {
          more = false;
          finishing |= idle;
        });
  }

  /** Ends the run, without the phases that have not begun. */
  void stop() {
    loop.execute(
        () -> {
          told = true;
          stopped = true;
          more = false;
          finishing |= idle;
        });
  }

  // ---- phases

  private void begin(long at) {
    if (tallies.size() == phases.size() || stopped) {
      tally = null;
      idle = more;
      finishing = !more;
      return;
    }
    tally = new Tally(phases.get(tallies.size()));
    tally.startedNanos = at - start;
    tallies.add(tally);
    told = toldEarly;
    toldEarly = false;
    series.phase(tally.phase.name(), at);
    next = at;
    if (tally.phase.open()) {
      tick();
    } else {
      Tally mine = tally;
      active = 0;
      for (int i = 0; i < mine.phase.inFlight(); i++) {
        another(mine);
      }
      watch(mine);
    }
  }

  private boolean ended(Tally mine, long at) {
    Phase phase = mine.phase;
    return told
        || stopped
        || (phase.nanos() > 0 && at - start - mine.startedNanos >= phase.nanos())
        || (phase.count() > 0 && mine.due >= phase.count());
  }

  private void end(Tally mine, long at) {
    mine.endedNanos = at - start;
    mine.ended = true;
    begin(at);
  }

  private void tick() {
    Tally mine = tally;
    long now = System.nanoTime();
    while (next - now <= 0) {
      if (ended(mine, next)) {
        end(mine, told || stopped ? now : next);
        return;
      }
      mine.turned(now - next);
      due(mine, next);
      double gap = 1e9 / mine.phase.rate();
      next += (long) (settings.poisson() ? -Math.log(1 - random.nextDouble()) * gap : gap);
      now = System.nanoTime();
    }
    // A phase that is told to end does so at its next request, but not later than this.
    long wait = Math.min(next - now, 100_000_000L);
    later(this::tick, wait, TimeUnit.NANOSECONDS);
  }

  private void watch(Tally mine) {
    if (tally != mine) {
      return;
    }
    long now = System.nanoTime();
    if (ended(mine, now) && (mine.phase.count() == 0 || active == 0)) {
      end(mine, now);
    } else {
      later(() -> watch(mine), 1, TimeUnit.MILLISECONDS);
    }
  }

  private void another(Tally mine) {
    long now = System.nanoTime();
    if (tally == mine && !ended(mine, now)) {
      active++;
      due(mine, now);
    }
  }

  // ---- one request

  private void due(Tally mine, long intended) {
    mine.due++;
    series.due(intended);
    boolean keeps = answers.any() || settings.record();
    Exchange exchange = new Exchange(shots.at(turn), turn, mine, intended, keeps);
    turn = turn + 1 == shots.size() ? 0 : turn + 1;
    underway.addLast(exchange);
    Link link = freeLink();
    if (link != null) {
      send(link, exchange);
    } else {
      waiting.addLast(exchange);
      if (open + connecting < settings.connections()) {
        connect();
      }
    }
  }

  private Link freeLink() {
    Link link = free.pollFirst();
    while (link != null) {
      link.listed(false);
      if (link.room()) {
        return link;
      }
      link = free.pollFirst();
    }
    return null;
  }

  private void send(Link link, Exchange exchange) {
    exchange.sent = System.nanoTime();
    exchange.tally.sent(exchange, exchange.sent);
    link.send(exchange);
    list(link);
  }

  private void list(Link link) {
    if (!link.listed() && link.room()) {
      link.listed(true);
      free.addLast(link);
    }
  }

  private void serveWaiting() {
    while (!waiting.isEmpty()) {
      if (waiting.peekFirst().done) {
        waiting.pollFirst();
        continue;
      }
      Link link = freeLink();
      if (link == null) {
        if (open + connecting < settings.connections()) {
          connect();
        }
        return;
      }
      send(link, waiting.pollFirst());
    }
  }

  private void finished(Exchange exchange, boolean breath) {
    exchange.forget();
    Tally mine = exchange.tally;
    if (!mine.phase.open() && mine == tally) {
      active--;
      if (breath) {
        later(() -> another(mine), BREATH_MILLIS, TimeUnit.MILLISECONDS);
      } else {
        another(mine);
      }
    }
  }

  private void sweep() {
    long now = System.nanoTime();
    while (!underway.isEmpty()) {
      Exchange oldest = underway.peekFirst();
      if (!oldest.done) {
        if (now - oldest.intended < settings.timeoutNanos()) {
          break;
        }
        for (Link link : List.copyOf(links)) {
          link.abandon(oldest);
        }
        failed(oldest, Trouble.TIMEOUT);
      }
      underway.pollFirst();
    }
    while (complete < tallies.size() && tallies.get(complete).complete()) {
      done.accept(tallies.get(complete++));
    }
    if (finishing && underway.isEmpty()) {
      List.copyOf(links).forEach(Link::close);
      over.complete(null);
    } else {
      later(this::sweep, SWEEP_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  private void later(Runnable step, long delay, TimeUnit unit) {
    ScheduledFuture<?> unused =
        loop.schedule(
            () -> {
              try {
                step.run();
              } catch (RuntimeException e) {
                broken(e);
              }
            },
            delay,
            unit);
  }

  // ---- what connections say

  @Override
  public void broken(RuntimeException cause) {
    over.completeExceptionally(cause);
  }

  private void connect() {
    connecting++;
    connector.connect(this);
  }

  /** A connection could not be made. */
  void refused() {
    connecting--;
    if (open == 0) {
      while (!waiting.isEmpty()) {
        Exchange exchange = waiting.pollFirst();
        if (!exchange.done) {
          failed(exchange, Trouble.CONNECT);
        }
      }
    }
  }

  @Override
  public void opened(Link link) {
    connecting--;
    open++;
    links.add(link);
    list(link);
    serveWaiting();
  }

  @Override
  public void answered(Link link, Exchange exchange) {
    if (!exchange.finish()) {
      return;
    }
    long now = System.nanoTime();
    Tally.Outcome outcome = exchange.tally.answered(exchange, now);
    series.answered(outcome, now - exchange.intended, now);
    if (outcome == Tally.Outcome.ADMITTED && answers.any()) {
      exchange.tally.byAnswer.merge(answers.whose(exchange), 1L, Long::sum);
    }
    if (settings.record() && recorded.get(exchange.index).length == 0) {
      recorded.set(exchange.index, Arrays.copyOf(exchange.body(), exchange.length()));
    }
    list(link);
    serveWaiting();
    finished(exchange, false);
  }

  @Override
  public void failed(Link link, Exchange exchange, Trouble trouble) {
    failed(exchange, trouble);
  }

  private void failed(Exchange exchange, Trouble trouble) {
    if (exchange.finish()) {
      exchange.tally.failed(exchange, trouble);
      series.failed(System.nanoTime());
      finished(exchange, true);
    }
  }

  @Override
  public void closed(Link link) {
    if (links.remove(link)) {
      open--;
      serveWaiting();
    }
  }

  // ---- after the run

  List<Tally> tallies() {
    return tallies;
  }

  List<Mark> marks() {
    return marks;
  }

  List<Series.Second> seconds() {
    return series.seconds();
  }

  List<byte[]> recorded() {
    return recorded;
  }
}
