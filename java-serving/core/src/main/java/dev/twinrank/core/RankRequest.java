package dev.twinrank.core;

import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.ObjectPacker;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.pack.PackedSlate;
import dev.twinrank.core.internal.pack.Refusals;
import dev.twinrank.core.internal.pack.SlatePacker;
import dev.twinrank.core.internal.pack.Typed;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * A request that has been checked and packed for one model. Immutable and thread-safe.
 *
 * @since 0.1
 */
public final class RankRequest {
  private final PackPlan plan;
  private final PackedSlate slate;
  private final Counts counts;
  private final long packNanos;

  /**
   * Takes a packed request.
   *
   * @param counts what its policies absorbed; not to be changed any more
   * @param packNanos how long packing took; −1 if nobody looked
   */
  RankRequest(PackPlan plan, PackedSlate slate, Counts counts, long packNanos) {
    this.plan = plan;
    this.slate = slate;
    this.counts = counts;
    this.packNanos = packNanos;
  }

  /** Returns the number of candidates. */
  public int candidates() {
    return slate.candidates();
  }

  /** Returns how many ranked candidates are wanted, at most all; empty means all. */
  public OptionalInt k() {
    return slate.k();
  }

  /** Returns the graph's inputs, in the order of the packing. */
  public List<PackedBlock> blocks() {
    List<PackedBlock> blocks = new ArrayList<>();
    for (Block block : plan.packing().blocks()) {
      long rows = block.placement() == Placement.CONTEXT ? 1 : slate.candidates();
      blocks.add(
          new PackedBlock(
              block.name(), block.dtype(), block.shape(rows), slate.blocks().get(blocks.size())));
    }
    return List.copyOf(blocks);
  }

  PackPlan plan() {
    return plan;
  }

  PackedSlate slate() {
    return slate;
  }

  Counts counts() {
    return counts;
  }

  long packNanos() {
    return packNanos;
  }

  /**
   * Builds a request from typed values, by the rules that JSON requests obey. Not thread-safe.
   *
   * <p>Values are checked as they are given. An integer is accepted for a float feature and
   * converted as a literal would be; a float is never accepted for an integer feature, and a
   * boolean is never a number. Null means missing. A builder that has thrown is spent, and so is
   * one that has built: every further call throws {@link IllegalStateException}.
   *
   * <p>Every {@code context} and {@code set} method throws {@link ScoringException} with {@code
   * unknown_feature}, or, where the feature's {@code invalid} policy is {@code error}, with {@code
   * wrong_type}, {@code out_of_range}, {@code non_finite}, {@code invalid_string} or {@code
   * wrong_length}; and {@link IllegalArgumentException} if that feature already has a value.
   *
   * @since 0.1
   */
  public static final class Builder {
    private final PackPlan plan;
    private final Observation observation;
    private final Counts counts;
    private final SlatePacker packer;
    private boolean inCandidate;
    private boolean spent;

    Builder(PackPlan plan, int maxCandidates, Observation observation) {
      this.plan = plan;
      this.observation = observation;
      this.counts = new Counts(plan);
      this.packer = new SlatePacker(plan, maxCandidates, counts);
      packer.context().begin();
    }

    /**
     * Sets how many ranked candidates are wanted; all if not said.
     *
     * @throws ScoringException {@code invalid_request} if {@code k} is negative
     */
    public Builder k(int k) {
      begin();
      if (k < 0) {
        throw refused(
            Refusals.request(
                ErrorCode.INVALID_REQUEST,
                "k is " + k + "; send at least 0, or leave it out for all"));
      }
      packer.k(OptionalInt.of(k));
      return proceed();
    }

    /** Gives an integer for a context feature. */
    public Builder context(String feature, long value) {
      return give(packer.context(), feature, Typed.of(value));
    }

    /** Gives a float for a context feature. */
    public Builder context(String feature, double value) {
      return give(packer.context(), feature, Typed.of(value));
    }

    /** Gives a boolean for a context feature. */
    public Builder context(String feature, boolean value) {
      return give(packer.context(), feature, Typed.of(value));
    }

    /** Gives a string for a context feature. */
    public Builder context(String feature, String value) {
      return give(packer.context(), feature, Typed.of(value));
    }

    /** Gives integers for a context list or vector. */
    public Builder context(String feature, long[] values) {
      return give(packer.context(), feature, Typed.of(values));
    }

    /** Gives floats for a context list or vector. */
    public Builder context(String feature, double[] values) {
      return give(packer.context(), feature, Typed.of(values));
    }

    /** Gives floats, widened exactly, for a context list or vector. */
    public Builder context(String feature, float[] values) {
      return give(packer.context(), feature, Typed.of(values));
    }

    /** Gives booleans for a context list. */
    public Builder context(String feature, boolean[] values) {
      return give(packer.context(), feature, Typed.of(values));
    }

    /** Gives strings for a context list. */
    public Builder context(String feature, List<String> values) {
      return give(packer.context(), feature, Typed.of(values));
    }

    /**
     * Starts the next candidate.
     *
     * @throws ScoringException if the candidate before it lacks a required feature, or there are
     *     too many
     */
    public Builder candidate() {
      begin();
      try {
        endCandidate();
        packer.admitCandidate();
      } catch (ScoringException e) {
        throw refused(e);
      }
      packer.candidates().begin();
      inCandidate = true;
      return proceed();
    }

    /** Gives an integer for a feature of the current candidate. */
    public Builder set(String feature, long value) {
      return give(current(), feature, Typed.of(value));
    }

    /** Gives a float for a feature of the current candidate. */
    public Builder set(String feature, double value) {
      return give(current(), feature, Typed.of(value));
    }

    /** Gives a boolean for a feature of the current candidate. */
    public Builder set(String feature, boolean value) {
      return give(current(), feature, Typed.of(value));
    }

    /** Gives a string for a feature of the current candidate. */
    public Builder set(String feature, String value) {
      return give(current(), feature, Typed.of(value));
    }

    /** Gives integers for a list or vector of the current candidate. */
    public Builder set(String feature, long[] values) {
      return give(current(), feature, Typed.of(values));
    }

    /** Gives floats for a list or vector of the current candidate. */
    public Builder set(String feature, double[] values) {
      return give(current(), feature, Typed.of(values));
    }

    /** Gives floats, widened exactly, for a list or vector of the current candidate. */
    public Builder set(String feature, float[] values) {
      return give(current(), feature, Typed.of(values));
    }

    /** Gives booleans for a list of the current candidate. */
    public Builder set(String feature, boolean[] values) {
      return give(current(), feature, Typed.of(values));
    }

    /** Gives strings for a list of the current candidate. */
    public Builder set(String feature, List<String> values) {
      return give(current(), feature, Typed.of(values));
    }

    /**
     * Returns the request; the builder is spent.
     *
     * @throws ScoringException if the context or the last candidate lacks a required feature
     */
    public RankRequest build() {
      begin();
      try {
        endCandidate();
        packer.context().end();
      } catch (ScoringException e) {
        throw refused(e);
      }
      return new RankRequest(plan, packer.finish(), counts, -1);
    }

    private ObjectPacker current() {
      if (!inCandidate) {
        throw new IllegalStateException("no candidate was started; call candidate() before set()");
      }
      return packer.candidates();
    }

    private void endCandidate() {
      if (inCandidate) {
        packer.candidates().end();
      }
    }

    private Builder give(ObjectPacker target, String feature, Typed value) {
      begin();
      try {
        value.giveTo(target, feature);
      } catch (ScoringException e) {
        throw refused(e);
      }
      return proceed();
    }

    /** Counts a refusal: the builder is spent, so that it is the only one of this request. */
    private ScoringException refused(ScoringException refusal) {
      observation.refused(counts, counts.candidates(), refusal, observation.stages());
      return refusal;
    }

    /** Spends the builder; {@link #proceed} revives it when nothing was thrown in between. */
    private void begin() {
      if (spent) {
        throw new IllegalStateException(
            "this builder has thrown or has built; take a new one from Model.request()");
      }
      spent = true;
    }

    private Builder proceed() {
      spent = false;
      return this;
    }
  }
}
