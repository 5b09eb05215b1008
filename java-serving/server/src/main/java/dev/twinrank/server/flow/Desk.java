package dev.twinrank.server.flow;

import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.Cancellation;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.ScoringException;
import dev.twinrank.server.flow.Line.Dropped;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.ops.Exchange;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import io.netty.channel.Channel;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GenericFutureListener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one way into scoring: it decides whether a request is taken, leases the version that answers,
 * and runs its work on a scoring thread. Thread-safe.
 */
public final class Desk {
  private static final Logger LOG = LoggerFactory.getLogger(Desk.class);
  private static final Duration LONGEST = Duration.ofDays(365);
  private static final Pattern VERSION = Pattern.compile("[1-9][0-9]{0,17}");

  private final Gate gate;
  private final Supplier<Models> models;
  private final Executor pool;
  private final Duration maxDeadline;
  private final LongSupplier clock;
  private final BiConsumer<Job<?>, Runnable> hangUps;
  private final Line line;

  /**
   * Makes a desk.
   *
   * @param models what is served at the moment of each request
   * @param pool as many scoring threads as the settings say
   */
  public Desk(Gate gate, Supplier<Models> models, Executor pool, FlowSettings settings) {
    this(gate, models, pool, settings, System::nanoTime, Desk::watch);
  }

  /**
   * Makes a desk with a clock of its own.
   *
   * @param hangUps how to hear that a client waits no more; it may be told so after its answer too
   */
  Desk(
      Gate gate,
      Supplier<Models> models,
      Executor pool,
      FlowSettings settings,
      LongSupplier clock,
      BiConsumer<Job<?>, Runnable> hangUps) {
    this.hangUps = hangUps;
    this.gate = gate;
    this.models = models;
    this.pool = pool;
    this.maxDeadline = settings.maxDeadline();
    this.clock = clock;
    this.line = new Line(settings, clock.getAsLong());
  }

  /** Returns how much waits and runs now. */
  public FlowStats stats() {
    return line.stats(clock.getAsLong());
  }

  /**
   * Lets a request in, until its answer has been written or given up; first of all, whatever its
   * protocol.
   *
   * @throws Refusal {@code not_ready}
   */
  public void enter(ServiceRequestContext ctx) {
    Optional<String> closed = gate.enter();
    if (closed.isPresent()) {
      throw new Refusal(Problem.of(ServiceCode.NOT_READY, closed.get()));
    }
    CompletableFuture<Void> unused = ctx.log().whenComplete().thenRun(gate::leave);
  }

  /**
   * Makes sure that there is such a version now: whoever asks for what is not there hears it before
   * all else.
   *
   * @throws Refusal {@code unknown_model} or {@code model_closed}
   */
  public void find(String model, Optional<String> version) {
    try (Lease lease = lease(model, version)) {
      LOG.trace("{}/{} is there", model, lease.version());
    }
  }

  /**
   * Looks at a version, without scoring.
   *
   * @param look what is wanted of it; it must not keep the lease
   * @throws Refusal {@code unknown_model} or {@code model_closed}
   */
  public <T> T look(String model, Optional<String> version, Function<Lease, T> look) {
    try (Lease lease = lease(model, version)) {
      return look.apply(lease);
    }
  }

  /**
   * Runs a request's work on a scoring thread, when its turn has come and if that is soon enough. A
   * request that is refused costs no thread. If the client hangs up, the work is cancelled.
   *
   * @return what the work gave; it fails with a {@link Refusal} ({@code overloaded}, {@code
   *     deadline_exceeded}, {@code cancelled}, what the model refuses), or with what is a fault of
   *     the server
   */
  public <T> CompletableFuture<T> submit(Call call, Work<T> work) {
    Duration budget = Deadlines.earlier(call.budget(), Optional.of(maxDeadline)).orElseThrow();
    Duration left = budget.minusNanos(clock.getAsLong() - call.exchange().arrived());
    Cancellation cancellation = Cancellation.after(left);
    Job<T> job =
        new Job<>(
            call,
            clock.getAsLong() + Math.max(0, nanos(left)),
            cancellation,
            () -> run(call, cancellation, work));
    List<Dropped> dropped = new ArrayList<>(0);
    Optional<Shed> refused = line.offer(job, clock.getAsLong(), dropped);
    refuse(dropped);
    if (refused.isPresent()) {
      job.refuse(refused.get(), 0);
      return job.answer();
    }
    hangUps.accept(job, () -> abandon(job));
    start();
    return job.answer();
  }

  private static long nanos(Duration time) {
    return time.compareTo(LONGEST) < 0 ? time.toNanos() : LONGEST.toNanos();
  }

  private static void watch(Job<?> job, Runnable gone) {
    ServiceRequestContext ctx = job.call.exchange().context();
    CompletableFuture<Void> unused = ctx.log().whenComplete().thenRun(gone);
    // The HTTP layer looks a second later whether an HTTP/1 client is still there.
    Channel channel = ctx.log().partial().channel();
    if (channel != null) {
      GenericFutureListener<Future<Void>> closed = future -> gone.run();
      channel.closeFuture().addListener(closed);
      CompletableFuture<?> unusedToo =
          job.answer()
              .whenComplete((answer, thrown) -> channel.closeFuture().removeListener(closed));
    }
  }

  /** The client has its answer, or waits for none. */
  private void abandon(Job<?> job) {
    if (job.answer().isDone()) {
      return;
    }
    if (line.withdraw(job)) {
      job.refuse(Shed.HUNG_UP, 0);
    } else {
      job.cancellation.cancel();
    }
  }

  /** Lets everything begin whose turn it is. */
  private void start() {
    List<Dropped> dropped = new ArrayList<>(0);
    Ticket next = line.next(clock.getAsLong(), dropped);
    while (next != null) {
      Job<?> job = (Job<?>) next;
      try {
        pool.execute(() -> work(job));
        next = line.next(clock.getAsLong(), dropped);
      } catch (RejectedExecutionException e) {
        job.fail(e);
        next = line.finish(job, clock.getAsLong(), OptionalInt.empty(), dropped);
      }
    }
    refuse(dropped);
  }

  /** Does this job and then those whose turn it is, on a scoring thread. */
  private void work(Job<?> first) {
    for (Job<?> job = first; job != null; ) {
      Exchange exchange = job.call.exchange();
      exchange.queued(job.waited());
      exchange.enterThread();
      try {
        job.run();
      } finally {
        Exchange.leaveThread();
      }
      List<Dropped> dropped = new ArrayList<>(0);
      job = (Job<?>) line.finish(job, clock.getAsLong(), exchange.candidates(), dropped);
      refuse(dropped);
    }
  }

  private static void refuse(List<Dropped> dropped) {
    dropped.forEach(each -> ((Job<?>) each.ticket()).refuse(each.why(), each.nanos()));
  }

  private <T> T run(Call call, Cancellation cancellation, Work<T> work) {
    // Not before its turn has come: a request that waits holds no version back.
    try (Lease lease = lease(call.model(), call.version())) {
      call.exchange().leased(lease);
      try {
        return work.run(lease, cancellation);
      } catch (ScoringException e) {
        if (e.code() == ErrorCode.SCORING_FAILED) {
          LOG.error(
              "{}/{} {} failed on a valid request",
              lease.model().name(),
              lease.version(),
              lease.model().digest(),
              e);
        }
        throw new Refusal(Problem.of(e));
      }
    }
  }

  /**
   * Leases a version, for whoever asks about it and scores nothing.
   *
   * @throws Refusal {@code unknown_model} or {@code model_closed}
   */
  public Lease lease(String model, Optional<String> version) {
    Models served = models.get();
    try {
      if (version.isEmpty()) {
        return served.lease(model);
      }
      if (!VERSION.matcher(version.get()).matches()) {
        throw new NoSuchElementException("no version is written so");
      }
      return served.lease(model, Long.parseLong(version.get()));
    } catch (NoSuchElementException e) {
      throw new Refusal(unknown(served, model, version));
    } catch (IllegalStateException e) {
      throw new Refusal(
          Problem.of(
              ServiceCode.MODEL_CLOSED,
              "the model '%s' was closed before the request's turn came".formatted(model)));
    }
  }

  private static Problem unknown(Models served, String model, Optional<String> version) {
    Optional<Entry> active =
        served.all().stream().filter(entry -> entry.name().equals(model)).findFirst();
    return Problem.of(
        ServiceCode.UNKNOWN_MODEL,
        version.isEmpty() || active.isEmpty()
            ? "no model '%s'; there are: %s".formatted(model, String.join(", ", served.names()))
            : "no version '%s' of the model '%s'; version %d is served"
                .formatted(version.get(), model, active.get().version()));
  }
}
