package dev.twinrank.core;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.Refusals;
import dev.twinrank.core.internal.pack.SlateWriter;
import dev.twinrank.core.internal.pack.Slot;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * One request, written straight into the memory that the graph reads. Not thread-safe: a slate
 * belongs to one thread at a time.
 *
 * <p>A slate is leased from its model and given back by {@link #close}. {@link #reset} starts the
 * next request in the same memory; a slate that is kept and reset allocates nothing on the heap,
 * and its calls on a {@link Model} allocate their result.
 *
 * <pre>{@code
 * Handle.OfLong user = model.schema().integer("user"); // once, beside the model
 * Handle.OfString item = model.schema().string("item");
 * Handle.OfDouble price = model.schema().number("price");
 *
 * try (Slate slate = model.slate(items.length)) {
 *   slate.set(user, 196L);
 *   slate.column(item, items);
 *   slate.column(price, prices);
 *   Ranking top = model.rank(slate, 10);
 * }
 * }</pre>
 *
 * <p><b>Values.</b> The rules are those of JSON requests and of {@link RankRequest.Builder}, and so
 * are the bytes. A feature that is not set is missing, and so is one that is set to null. Floats
 * are rounded to the nearest float32 where the feature is one; an integer for a float feature
 * becomes the nearest float64 first. Lists may be of any length, and the end that the schema names
 * is kept. Whole columns are quicker than single values, and {@linkplain #keys keys} than strings.
 *
 * <p><b>Errors.</b> Every method that sets values throws
 *
 * <ul>
 *   <li>{@link ScoringException}, where the feature's {@code invalid} policy is {@code error}, with
 *       {@code out_of_range} (a float beyond float32), {@code non_finite} (NaN or an infinity,
 *       where the feature does not declare them legal), {@code invalid_string} (a lone surrogate),
 *       {@code wrong_length} (a vector) or {@code wrong_type} (a null within a list);
 *   <li>{@link IllegalArgumentException} if the feature (of that candidate) was set before, is of
 *       the other placement, or is none of this model's, or if a column has not one value a
 *       candidate;
 *   <li>{@link IndexOutOfBoundsException} if there is no such candidate;
 *   <li>{@link IllegalStateException} if the slate is closed, or spent.
 * </ul>
 *
 * <p>A slate that has thrown while it was written is spent: it cannot be scored or set until {@link
 * #reset}, because whoever caught the exception would otherwise rank without the value that was
 * refused. What is missing shows only when the slate is scored: the context's features first, then
 * candidate by candidate, each in the order of the schema. A slate may be scored more than once.
 *
 * <p>A slate that outlives its model can be closed, but not scored. One that is never closed keeps
 * its memory until it is collected, and a few native handles for as long as the process.
 *
 * @since 0.1
 */
public final class Slate implements AutoCloseable {
  private static final AtomicIntegerFieldUpdater<Slate> STATE =
      AtomicIntegerFieldUpdater.newUpdater(Slate.class, "state");

  private static final int READY = 0;

  /** A call is in it, or has thrown what only a mistake of the caller throws. */
  private static final int BUSY = 1;

  /** A call has refused the request, and has left. */
  private static final int SPENT = 2;

  private final Scoring scoring;
  private final GraphSession session;
  private final Observation observation;
  private final Stages stages;
  private Workspace workspace;
  private SlateWriter writer;
  private volatile int state = SPENT;
  // Whether a call may go on that was there before a reset; then so it is until the end.
  private boolean overtaken;
  // Schemas of handles that were met last: one that is equal to the model's, and one that is not.
  private Schema known;
  private Schema stranger;
  private int candidates;

  Slate(
      Scoring scoring,
      GraphSession session,
      SlateWriter writer,
      Workspace workspace,
      Observation observation) {
    this.scoring = scoring;
    this.observation = observation;
    this.stages = observation.stages();
    this.session = session;
    this.writer = writer;
    this.workspace = workspace;
    this.known = writer.plan().schema();
    writer.onRefusal(this::refused);
  }

  /** Returns the number of candidates. */
  public int candidates() {
    requireOpen();
    return candidates;
  }

  /**
   * Starts the next request in this slate's memory, with nothing set. Revives a slate that has
   * thrown.
   *
   * @param count the number of candidates, from 0
   * @throws ScoringException {@code too_many_candidates} if the model takes fewer, {@code
   *     memory_exhausted} or {@code scoring_failed} if there is no memory for so many
   * @throws IllegalArgumentException if {@code count} is negative
   * @throws IllegalStateException if this slate is closed
   */
  public void reset(int count) {
    requireOpen();
    overtaken |= state == BUSY;
    state = BUSY;
    settle();
    writer.clear();
    stages.reset();
    candidates = 0;
    if (count < 0) {
      state = SPENT;
      throw new IllegalArgumentException(count + " candidates; send at least 0");
    }
    if (count > scoring.maxCandidates()) {
      throw refused(Refusals.tooMany(scoring.maxCandidates()));
    }
    try {
      // A slate of no candidates never runs, but its context is checked: that needs memory too.
      workspace.resize(Math.max(count, 1));
    } catch (ScoringException e) {
      throw refused(e);
    } catch (GraphFailure e) {
      throw refused(Scoring.failed(count, e));
    }
    writer.begin(workspace, count);
    candidates = count;
    proceed();
  }

  /** Sets a context feature to an integer. */
  public void set(Handle.OfLong handle, long value) {
    Slot slot = context(handle);
    writer.integer(slot, 0, value);
    proceed();
  }

  /** Sets a context feature to a number. */
  public void set(Handle.OfDouble handle, double value) {
    Slot slot = context(handle);
    writer.decimal(slot, 0, value);
    proceed();
  }

  /** Sets a context feature to an integer, for a float. */
  public void set(Handle.OfDouble handle, long value) {
    Slot slot = context(handle);
    writer.integer(slot, 0, value);
    proceed();
  }

  /** Sets a context feature to a boolean. */
  public void set(Handle.OfBool handle, boolean value) {
    Slot slot = context(handle);
    writer.bool(slot, 0, value);
    proceed();
  }

  /** Sets a context feature to a string; null is missing. */
  public void set(Handle.OfString handle, String value) {
    Slot slot = context(handle);
    writer.string(slot, 0, value);
    proceed();
  }

  /** Sets a context list or vector to integers; null is missing. */
  public void set(Handle.OfLongs handle, long[] values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /** Sets a context list or vector to numbers; null is missing. */
  public void set(Handle.OfDoubles handle, double[] values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /** Sets a context list or vector to numbers, widened exactly; null is missing. */
  public void set(Handle.OfDoubles handle, float[] values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /** Sets a context list or vector to integers, for floats; null is missing. */
  public void set(Handle.OfDoubles handle, long[] values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /** Sets a context list or vector to booleans; null is missing. */
  public void set(Handle.OfBools handle, boolean[] values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /**
   * Sets a context list or vector to strings; null is missing, a null among them of the wrong type.
   */
  public void set(Handle.OfStrings handle, String[] values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /**
   * Sets a context list or vector to strings; null is missing, a null among them of the wrong type.
   */
  public void set(Handle.OfStrings handle, List<String> values) {
    Slot slot = context(handle);
    writer.elements(slot, 0, values);
    proceed();
  }

  /** Sets a context string to the one with a {@linkplain Keys key}. */
  public void setKey(Handle.OfString handle, long key) {
    Slot slot = context(handle);
    writer.key(slot, 0, key);
    proceed();
  }

  /** Sets a context list to the strings with {@linkplain Keys keys}; null is missing. */
  public void setKeys(Handle.OfStrings handle, long[] keys) {
    Slot slot = context(handle);
    writer.keys(slot, 0, keys);
    proceed();
  }

  /** Sets a candidate's feature to an integer. */
  public void set(int candidate, Handle.OfLong handle, long value) {
    Slot slot = candidate(candidate, handle);
    writer.integer(slot, candidate, value);
    proceed();
  }

  /** Sets a candidate's feature to a number. */
  public void set(int candidate, Handle.OfDouble handle, double value) {
    Slot slot = candidate(candidate, handle);
    writer.decimal(slot, candidate, value);
    proceed();
  }

  /** Sets a candidate's feature to an integer, for a float. */
  public void set(int candidate, Handle.OfDouble handle, long value) {
    Slot slot = candidate(candidate, handle);
    writer.integer(slot, candidate, value);
    proceed();
  }

  /** Sets a candidate's feature to a boolean. */
  public void set(int candidate, Handle.OfBool handle, boolean value) {
    Slot slot = candidate(candidate, handle);
    writer.bool(slot, candidate, value);
    proceed();
  }

  /** Sets a candidate's feature to a string; null is missing. */
  public void set(int candidate, Handle.OfString handle, String value) {
    Slot slot = candidate(candidate, handle);
    writer.string(slot, candidate, value);
    proceed();
  }

  /** Sets a candidate's list or vector to integers; null is missing. */
  public void set(int candidate, Handle.OfLongs handle, long[] values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /** Sets a candidate's list or vector to numbers; null is missing. */
  public void set(int candidate, Handle.OfDoubles handle, double[] values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /** Sets a candidate's list or vector to numbers, widened exactly; null is missing. */
  public void set(int candidate, Handle.OfDoubles handle, float[] values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /** Sets a candidate's list or vector to integers, for floats; null is missing. */
  public void set(int candidate, Handle.OfDoubles handle, long[] values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /** Sets a candidate's list or vector to booleans; null is missing. */
  public void set(int candidate, Handle.OfBools handle, boolean[] values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /**
   * Sets a candidate's list or vector to strings; null is missing, a null among them of the wrong
   * type.
   */
  public void set(int candidate, Handle.OfStrings handle, String[] values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /**
   * Sets a candidate's list or vector to strings; null is missing, a null among them of the wrong
   * type.
   */
  public void set(int candidate, Handle.OfStrings handle, List<String> values) {
    Slot slot = candidate(candidate, handle);
    writer.elements(slot, candidate, values);
    proceed();
  }

  /** Sets a candidate's string to the one with a {@linkplain Keys key}. */
  public void setKey(int candidate, Handle.OfString handle, long key) {
    Slot slot = candidate(candidate, handle);
    writer.key(slot, candidate, key);
    proceed();
  }

  /** Sets a candidate's list to the strings with {@linkplain Keys keys}; null is missing. */
  public void setKeys(int candidate, Handle.OfStrings handle, long[] keys) {
    Slot slot = candidate(candidate, handle);
    writer.keys(slot, candidate, keys);
    proceed();
  }

  /** Sets a feature of every candidate, in order, to integers. */
  public void column(Handle.OfLong handle, long[] values) {
    Slot slot = column(handle);
    writer.column(slot, values);
    stages.pack();
    proceed();
  }

  /** Sets a feature of every candidate, in order, to numbers. */
  public void column(Handle.OfDouble handle, double[] values) {
    Slot slot = column(handle);
    writer.column(slot, values);
    stages.pack();
    proceed();
  }

  /** Sets a feature of every candidate, in order, to numbers, widened exactly. */
  public void column(Handle.OfDouble handle, float[] values) {
    Slot slot = column(handle);
    writer.column(slot, values);
    stages.pack();
    proceed();
  }

  /** Sets a feature of every candidate, in order, to integers, for floats. */
  public void column(Handle.OfDouble handle, long[] values) {
    Slot slot = column(handle);
    writer.widenedColumn(slot, values);
    stages.pack();
    proceed();
  }

  /** Sets a feature of every candidate, in order, to booleans. */
  public void column(Handle.OfBool handle, boolean[] values) {
    Slot slot = column(handle);
    writer.column(slot, values);
    stages.pack();
    proceed();
  }

  /** Sets a feature of every candidate, in order, to strings; null is missing. */
  public void column(Handle.OfString handle, String[] values) {
    Slot slot = column(handle);
    writer.column(slot, values);
    stages.keys();
    proceed();
  }

  /** Sets a feature of every candidate, in order, to strings; null is missing. */
  public void column(Handle.OfString handle, List<String> values) {
    Slot slot = column(handle);
    writer.column(slot, values);
    stages.keys();
    proceed();
  }

  /**
   * Sets a string feature of every candidate, in order, to the strings with these {@linkplain Keys
   * keys}: for callers that keep the keys of what they rank.
   */
  public void keys(Handle.OfString handle, long[] keys) {
    Slot slot = column(handle);
    writer.column(slot, keys);
    stages.keys();
    proceed();
  }

  /**
   * Gives the memory back to the model. Idempotent.
   *
   * <p>If another thread is still in a call with this slate, against the rules, its memory goes to
   * nobody else: what that thread yet writes must not reach the request of another caller.
   */
  @Override
  public void close() {
    Workspace lent = workspace;
    SlateWriter used = writer;
    if (lent == null || used == null) {
      return;
    }
    workspace = null;
    writer = null;
    // Whoever enters from here on finds it closed; whoever was quicker is seen in the state.
    VarHandle.fullFence();
    if (overtaken || state == BUSY) {
      lent.close();
    } else if (session.give(lent)) {
      used.end();
      scoring.give(used);
    }
  }

  Scoring scoring() {
    return scoring;
  }

  /** Returns the clock of this request. */
  Stages stages() {
    return stages;
  }

  Counts counts() {
    requireOpen();
    return writer.counts();
  }

  /** Returns the memory of a slate that lacks nothing. */
  Workspace finish() {
    writer.finish();
    return workspace;
  }

  /** Counts a refusal: the slate is spent, so that it is the only one of this request. */
  ScoringException refused(ScoringException refusal) {
    observation.refused(writer.counts(), candidates, refusal, stages);
    STATE.lazySet(this, SPENT);
    return refusal;
  }

  private Slot context(Handle handle) {
    start();
    return slot(handle, Placement.CONTEXT);
  }

  private Slot candidate(int candidate, Handle handle) {
    start();
    Objects.checkIndex(candidate, candidates);
    return slot(handle, Placement.CANDIDATE);
  }

  private Slot column(Handle handle) {
    begin();
    stages.begin();
    return slot(handle, Placement.CANDIDATE);
  }

  /** Spends the slate for something long; whoever has not thrown revives it. */
  void begin() {
    start();
    settle();
  }

  // Without a fence, which would cost more than a single value does: a thread that closes the slate
  // sees the state once it has left this processor's store buffer. No more is done for whoever
  // breaks the rule by nanoseconds.
  private void start() {
    requireOpen();
    if (state != READY) {
      throw new IllegalStateException(
          "this slate has thrown while it was written, or another thread is writing it; reset(n)"
              + " starts the next request");
    }
    STATE.lazySet(this, BUSY);
  }

  /** Makes sure that {@link #close} sees that a call is in, or the call that it is closed. */
  private void settle() {
    VarHandle.fullFence();
    requireOpen();
  }

  /** Revives the slate: nothing was thrown since it was spent. */
  void proceed() {
    STATE.lazySet(this, READY);
  }

  private void requireOpen() {
    if (workspace == null || writer == null) {
      throw new IllegalStateException("this slate is closed; take a new one from Model.slate(n)");
    }
  }

  @SuppressWarnings("ReferenceEquality") // the quick case; schemas are compared when it fails
  private Slot slot(Handle handle, Placement placement) {
    Feature feature = handle.feature();
    if (feature.placement() != placement) {
      throw new IllegalArgumentException(
          "feature '"
              + feature.name()
              + "' is one of the "
              + feature.placement().label()
              + "; set it "
              + (placement == Placement.CONTEXT ? "for candidates" : "once, without a candidate"));
    }
    Schema own = writer.plan().schema();
    if (handle.schema() == own || handle.schema() == known) {
      return writer.plan().slot(placement, handle.index());
    }
    if (handle.schema() != stranger && handle.schema().equals(own)) {
      known = handle.schema();
      return writer.plan().slot(placement, handle.index());
    }
    stranger = handle.schema();
    Handle mine = own.handle(feature.name());
    if (mine == null
        || mine.feature().placement() != placement
        || mine.getClass() != handle.getClass()) {
      throw new IllegalArgumentException(
          "the handle "
              + handle
              + " comes from another schema, and this model has no such feature"
              + (mine == null
                  ? ""
                  : ": it has " + mine + " of the " + mine.feature().placement().label()));
    }
    return writer.plan().slot(placement, mine.index());
  }
}
