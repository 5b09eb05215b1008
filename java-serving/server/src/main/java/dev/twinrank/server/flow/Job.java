package dev.twinrank.server.flow;

import dev.twinrank.core.Cancellation;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A request's work, and what becomes of it. Thread-safe.
 *
 * @param <T> what the work gives
 */
final class Job<T> extends Ticket {
  private static final int RETRY_AFTER_SECONDS = 1;

  final Call call;
  final Cancellation cancellation;
  private final CompletableFuture<T> answer = new CompletableFuture<>();
  private final Supplier<T> work;

  /**
   * Makes a job that waits no longer than for {@code deadline}.
   *
   * @param work what a scoring thread does; given the cancellation by whoever makes it
   */
  Job(Call call, long deadline, Cancellation cancellation, Supplier<T> work) {
    super(
        new Costs.Key(call.exchange().protocol(), call.exchange().model()),
        call.bytes(),
        call.rows(),
        deadline);
    this.call = call;
    this.cancellation = cancellation;
    this.work = work;
  }

  CompletableFuture<T> answer() {
    return answer;
  }

  /** Does the work, on the thread that calls. */
  void run() {
    T result;
    try {
      result = work.get();
    } catch (Throwable e) {
      // Whatever it was: a client waits for it, and this thread goes on.
      answer.completeExceptionally(e);
      return;
    }
    answer.complete(result);
  }

  /** Answers without having done anything. */
  void refuse(Shed why, long waitedNanos) {
    answer.completeExceptionally(new Refusal(problem(why, waitedNanos)));
  }

  void fail(Throwable e) {
    answer.completeExceptionally(e);
  }

  private static Problem problem(Shed why, long waitedNanos) {
    long millis = TimeUnit.NANOSECONDS.toMillis(waitedNanos);
    return switch (why) {
      case LIMIT ->
          overloaded("as many requests wait for a scoring thread as can be answered in time");
      case ROWS -> overloaded("as many candidates wait for a scoring thread as may");
      case AGE ->
          overloaded(
              "the request waited %d ms for a scoring thread, and in vain".formatted(millis));
      case DEADLINE ->
          Problem.of(
              ErrorCode.DEADLINE_EXCEEDED,
              "the request's deadline passed before a scoring thread was free (%d ms); no model was run; give it more time"
                  .formatted(millis));
      case HUNG_UP ->
          Problem.of(ErrorCode.CANCELLED, "the client hung up before a scoring thread was free");
    };
  }

  private static Problem overloaded(String what) {
    return Problem.of(
            ServiceCode.OVERLOADED,
            what + "; nothing was scored; send it again later, or to another server")
        .retryAfter(RETRY_AFTER_SECONDS);
  }
}
