package dev.twinrank.core.internal.pack;

import dev.twinrank.core.Placement;
import java.util.Arrays;

/**
 * What the policies of one request have absorbed, by feature, and how many candidates were begun.
 * Not thread-safe; safe to read by any thread once the request is packed.
 *
 * <p>Whoever packs writes here, and whoever scores or refuses adds it to the model's statistics,
 * once. Nothing is allocated until something is missing or invalid.
 */
public final class Counts {
  private final int contextFeatures;
  private final int features;
  private int[] missing;
  private int[] invalid;
  private int candidates;

  /** Starts at zero. */
  public Counts(PackPlan plan) {
    this.contextFeatures = plan.schema().context().size();
    this.features = plan.schema().features().size();
  }

  /** Counts values that were absent or null, where the feature's policy allows it. */
  public void missing(Slot slot, int times) {
    if (missing == null) {
      missing = new int[features];
    }
    missing[number(slot)] += times;
  }

  /** Counts values (a whole list is one) that did not fit, where the policy absorbs them. */
  void invalid(Slot slot, int times) {
    if (invalid == null) {
      invalid = new int[features];
    }
    invalid[number(slot)] += times;
  }

  /** Counts candidates as they are begun. */
  public void candidates(int more) {
    candidates += more;
  }

  /** Returns how many candidates were begun. */
  public int candidates() {
    return candidates;
  }

  /** Returns whether nothing was absorbed. */
  public boolean isEmpty() {
    return missing == null && invalid == null;
  }

  /**
   * Returns how many values of a feature were missing.
   *
   * @param feature its place: those of the context in schema order, then those of candidates
   */
  public int missing(int feature) {
    return missing == null ? 0 : missing[feature];
  }

  /** Returns how many values of a feature were invalid; see {@link #missing(int)}. */
  public int invalid(int feature) {
    return invalid == null ? 0 : invalid[feature];
  }

  /** Starts at zero again, for the next request in the same memory. */
  public void clear() {
    candidates = 0;
    if (missing != null) {
      Arrays.fill(missing, 0);
    }
    if (invalid != null) {
      Arrays.fill(invalid, 0);
    }
  }

  /** Forgets what was missing, before it is counted again. */
  void clearMissing() {
    if (missing != null) {
      Arrays.fill(missing, 0);
    }
  }

  private int number(Slot slot) {
    return slot.feature().placement() == Placement.CONTEXT
        ? slot.index()
        : contextFeatures + slot.index();
  }
}
