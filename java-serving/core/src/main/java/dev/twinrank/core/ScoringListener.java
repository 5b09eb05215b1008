package dev.twinrank.core;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Hears of every request that a model has answered or refused: {@link
 * ModelOptions.Builder#listener}. Must be thread-safe: it is called on the threads of the callers,
 * before they get their answer, by any number of them at once; what it does, they wait for.
 *
 * <p>A listener that throws loses no answer and hides no refusal, and the listeners after it are
 * still called: what it threw is counted in {@link Statistics#listenerFailures}, and the first
 * failure of each listener goes to the uncaught-exception handler of the thread. The first only,
 * because a listener that fails on every request would fill a log by the second.
 *
 * <p>A model without listeners reads no clock. Replays of goldens (opening, warm-up, {@link
 * Model#verify}) are not heard of.
 *
 * @since 0.1
 */
@FunctionalInterface
public interface ScoringListener {

  /** Hears of one request. */
  void onRequest(Event event);

  /**
   * One request: scored, ranked, or refused. Immutable and thread-safe.
   *
   * <p>Times are nanoseconds of elapsed time; −1 says that the stage did not happen, or that it
   * cannot be told from another.
   *
   * <p>What is timed depends on how the request was made. From JSON, reading and packing are one
   * pass, so {@code packNanos} holds both and the encoding of strings too, and {@code keysNanos} is
   * −1. From {@link RankRequest.Builder} the time between its calls is the caller's own, so {@code
   * packNanos} holds only the copy into the graph's inputs. A request that is scored again is an
   * event again, with the same time of reading.
   *
   * @param model the model's name
   * @param version the model's version, if its directory has one
   * @param digest the bundle's digest
   * @param candidates the number of candidates; of a request that was refused while it was made,
   *     those begun
   * @param refusal why there is no answer; empty if there is one
   * @param keysNanos encoding columns of strings as keys; −1 if no column of strings was given
   * @param packNanos everything else before the run, reading JSON included
   * @param runNanos the native run; −1 if it was not started, as for a slate of no candidates
   * @param orderNanos ordering and copying the answer; −1 if nothing was ordered
   * @since 0.1
   */
  record Event(
      String model,
      OptionalLong version,
      String digest,
      int candidates,
      Optional<ErrorCode> refusal,
      long keysNanos,
      long packNanos,
      long runNanos,
      long orderNanos) {
    /** Refuses nulls. */
    public Event {
      Objects.requireNonNull(model, "model");
      Objects.requireNonNull(version, "version");
      Objects.requireNonNull(digest, "digest");
      Objects.requireNonNull(refusal, "refusal");
    }

    /** Returns {@code ok}, or the code of the refusal. */
    public String outcome() {
      return refusal.isPresent() ? refusal.get().code() : "ok";
    }
  }
}
