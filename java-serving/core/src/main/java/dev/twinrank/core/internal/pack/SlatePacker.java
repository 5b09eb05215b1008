package dev.twinrank.core.internal.pack;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Packs one request. Not thread-safe, used once. */
public final class SlatePacker {
  private final int maxCandidates;
  private final Counts counts;
  private final ObjectPacker context;
  private final ObjectPacker candidates;
  private OptionalInt k = OptionalInt.empty();

  /** Starts an empty request, and counts there what its policies absorb. */
  public SlatePacker(PackPlan plan, int maxCandidates, Counts counts) {
    Values values = new Values();
    this.maxCandidates = maxCandidates;
    this.counts = counts;
    this.context = new ObjectPacker(plan.context(), plan.candidate(), values, counts);
    this.candidates = new ObjectPacker(plan.candidate(), plan.context(), values, counts);
  }

  /** Sets how many ranked candidates are wanted; empty means all. */
  public void k(OptionalInt value) {
    k = value;
  }

  /** Returns the packer of the context. */
  public ObjectPacker context() {
    return context;
  }

  /** Returns the packer of the candidates. */
  public ObjectPacker candidates() {
    return candidates;
  }

  /**
   * Makes sure that one more candidate is allowed, and counts it.
   *
   * @throws dev.twinrank.core.ScoringException {@code too_many_candidates}
   */
  public void admitCandidate() {
    if (candidates.objects() == maxCandidates) {
      throw Refusals.tooMany(maxCandidates);
    }
    counts.candidates(1);
  }

  /**
   * Goes to the next candidate of a column, which the first column makes.
   *
   * @throws dev.twinrank.core.ScoringException {@code too_many_candidates}, or {@code
   *     invalid_request} if the first column had no such
   */
  public void nextOfColumn() {
    if (candidates.columnAdds()) {
      admitCandidate();
    }
    candidates.nextOfColumn();
  }

  /** Returns the packed request. */
  public PackedSlate finish() {
    List<ByteBuffer> blocks = new ArrayList<>(context.finish());
    blocks.addAll(candidates.finish());
    int n = candidates.objects();
    return new PackedSlate(
        n, k.isPresent() ? OptionalInt.of(Math.min(k.getAsInt(), n)) : k, blocks);
  }
}
