package dev.twinrank.server.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.Cancellation;
import dev.twinrank.server.Tiny;
import dev.twinrank.server.life.ModelDirectory;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.ops.Exchange;
import dev.twinrank.server.ops.Metrics;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class DeskTest {
  private static Models models;

  // Beside the JVM's clock, which exchanges read.
  private final AtomicLong ahead = new AtomicLong();
  private final ArrayDeque<Runnable> threads = new ArrayDeque<>();
  private final List<Runnable> hangUps = new ArrayList<>();
  private final Metrics metrics = new Metrics();
  private final Desk desk =
      new Desk(
          new Gate(),
          () -> models,
          threads::add,
          new FlowSettings(1 << 20, 2),
          () -> System.nanoTime() + ahead.get(),
          (job, gone) -> hangUps.add(gone));

  @BeforeAll
  static void open() {
    models = new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow();
  }

  @AfterAll
  static void close() {
    models.close();
  }

  private Call call(Optional<Duration> budget) {
    ServiceRequestContext ctx =
        ServiceRequestContext.of(HttpRequest.of(HttpMethod.POST, "/v1/models/tiny:rank"));
    return call(ctx, budget);
  }

  private Call call(ServiceRequestContext ctx, Optional<Duration> budget) {
    Exchange exchange = Exchange.begin(ctx, metrics, Exchange.Protocol.RANK, "tiny");
    return new Call(exchange, "tiny", Optional.empty(), 100, OptionalInt.of(1), budget);
  }

  private static Problem refusal(CompletableFuture<?> answer) {
    CompletionException thrown = assertThrows(CompletionException.class, answer::join);
    return ((Refusal) thrown.getCause()).problem();
  }

  private static String never() {
    throw new AssertionError("the work was begun");
  }

  private void fill(String name) {
    CompletableFuture<String> unused = desk.submit(call(Optional.empty()), (lease, c) -> name);
  }

  @Test
  void workRunsOnAScoringThreadWithALease() {
    CompletableFuture<String> answer =
        desk.submit(call(Optional.empty()), (lease, cancellation) -> lease.model().name());
    assertFalse(answer.isDone());
    threads.remove().run();
    assertEquals("tiny", answer.join());
    assertEquals(0, desk.stats().small().running());
  }

  @Test
  void anExpiredDeadlineIsRefusedAndNoThreadHearsOfIt() {
    for (long millis : new long[] {0, -1, Long.MIN_VALUE / 1_000_000}) {
      CompletableFuture<String> answer =
          desk.submit(call(Optional.of(Duration.ofMillis(millis))), (lease, c) -> never());
      Problem problem = refusal(answer);
      assertEquals("deadline_exceeded", problem.code());
      assertEquals(504, problem.status());
    }
    assertTrue(threads.isEmpty());
  }

  @Test
  void aDeadlineThatPassesWhileTheRequestWaitsIsRefusedBeforeAnyModelRuns() {
    fill("a");
    fill("b");
    CompletableFuture<String> late =
        desk.submit(call(Optional.of(Duration.ofMillis(20))), (lease, c) -> never());
    ahead.addAndGet(Duration.ofMillis(30).toNanos());
    threads.remove().run();
    Problem problem = refusal(late);
    assertEquals("deadline_exceeded", problem.code());
    assertTrue(problem.detail().contains("no model was run"), problem.detail());
  }

  @Test
  void workIsGivenWhatIsLeftOfItsTime() {
    CompletableFuture<Boolean> done =
        desk.submit(
            call(Optional.of(Duration.ofMinutes(50))),
            (lease, cancellation) -> cancellation.isDone());
    threads.remove().run();
    assertFalse(done.join());

    Desk strict =
        new Desk(
            new Gate(),
            () -> models,
            threads::add,
            new FlowSettings(
                1 << 20,
                2,
                Duration.ofNanos(1),
                Duration.ofMillis(50),
                100,
                100,
                ConnectionSettings.defaults()),
            System::nanoTime,
            (job, gone) -> {});
    CompletableFuture<String> capped =
        strict.submit(call(Optional.of(Duration.ofDays(1))), (lease, c) -> never());
    assertEquals("deadline_exceeded", refusal(capped).code(), "the server's cap holds");
  }

  @Test
  void whatWaitedTooLongHearsWhenToComeAgain() {
    fill("short");
    threads.remove().run();
    fill("a");
    fill("b");
    CompletableFuture<String> late = desk.submit(call(Optional.empty()), (lease, c) -> never());
    ahead.addAndGet(Duration.ofMillis(60).toNanos());
    threads.remove().run();
    Problem problem = refusal(late);
    assertEquals("overloaded", problem.code());
    assertEquals(503, problem.status());
    assertEquals(OptionalInt.of(1), problem.retryAfter());
    assertEquals("1", problem.response().headers().get("retry-after"));
  }

  @Test
  void aHangUpTakesAWaitingRequestOutAndCancelsARunningOne() {
    CompletableFuture<String> first =
        desk.submit(
            call(Optional.empty()),
            (lease, cancellation) -> {
              hangUps.get(0).run();
              cancellation.check();
              return "ran to its end";
            });
    fill("b");
    CompletableFuture<String> waiting = desk.submit(call(Optional.empty()), (lease, c) -> never());
    hangUps.get(2).run();
    assertEquals("cancelled", refusal(waiting).code());
    threads.remove().run();
    assertEquals("cancelled", refusal(first).code());
    hangUps.get(0).run();
    assertEquals(1L, desk.stats().shed().get(Shed.HUNG_UP));
  }

  @Test
  void aThreadGoesOnAfterWorkThatThrows() {
    CompletableFuture<String> broken =
        desk.submit(
            call(Optional.empty()),
            (lease, c) -> {
              throw new StackOverflowError("planted");
            });
    fill("b");
    CompletableFuture<String> next = desk.submit(call(Optional.empty()), (lease, c) -> "c");
    threads.remove().run();
    assertThrows(CompletionException.class, broken::join);
    assertEquals("c", next.join());
  }

  @Test
  void aPoolThatIsShutDownLosesNoAnswer() {
    Desk closed =
        new Desk(
            new Gate(),
            () -> models,
            job -> {
              throw new RejectedExecutionException("planted");
            },
            new FlowSettings(1 << 20, 2),
            System::nanoTime,
            (job, gone) -> {});
    CompletableFuture<String> answer = closed.submit(call(Optional.empty()), (lease, c) -> never());
    CompletionException thrown = assertThrows(CompletionException.class, answer::join);
    assertTrue(thrown.getCause() instanceof RejectedExecutionException);
    assertEquals(0, closed.stats().small().running());
  }

  @Test
  @Timeout(60)
  void aClientThatHangsUpCancelsItsWorkAndGivesUpItsPlace() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    Desk real =
        new Desk(
            new Gate(),
            () -> models,
            pool,
            new FlowSettings(1 << 20, 2).withQueueAge(Duration.ofMinutes(1)));
    CompletableFuture<Boolean> cancelled = new CompletableFuture<>();
    Server server =
        Server.builder()
            .http(0)
            .requestTimeoutMillis(0)
            .service(
                "/",
                (ctx, request) ->
                    HttpResponse.of(
                        request
                            .aggregate()
                            .thenCompose(
                                whole ->
                                    real.submit(
                                        call(ctx, Optional.empty()),
                                        (lease, cancellation) -> await(cancellation, cancelled)))
                            .thenApply(HttpResponse::of)))
            .build();
    server.start().join();
    try {
      Socket[] clients = new Socket[3];
      for (int i = 0; i < clients.length; i++) {
        clients[i] =
            new Socket(
                InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), server.activeLocalPort());
        clients[i]
            .getOutputStream()
            .write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        int seen = i + 1;
        until(() -> real.stats().small().running() + real.stats().small().queued() == seen);
      }
      clients[2].close();
      until(() -> real.stats().shed().get(Shed.HUNG_UP) == 1);
      clients[0].close();
      assertTrue(cancelled.get(50, TimeUnit.SECONDS));
      clients[1].close();
      until(() -> real.stats().small().running() == 0);
    } finally {
      server.stop().join();
      pool.shutdownNow();
    }
  }

  private static String await(Cancellation cancellation, CompletableFuture<Boolean> cancelled) {
    while (!cancellation.isCancelled()) {
      Thread.onSpinWait();
      if (Thread.interrupted()) {
        return "interrupted";
      }
      pause();
    }
    cancelled.complete(true);
    return "cancelled";
  }

  private static void until(java.util.function.BooleanSupplier condition) {
    while (!condition.getAsBoolean()) {
      pause();
    }
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(2);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
