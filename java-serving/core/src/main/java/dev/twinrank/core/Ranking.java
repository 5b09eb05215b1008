package dev.twinrank.core;

import java.util.List;

/**
 * Candidates in the order of their score. Immutable and thread-safe.
 *
 * <p>Highest first; negative zero is equal to zero; ties stand in input order.
 *
 * @since 0.1
 */
public final class Ranking {

  /**
   * A ranked candidate. Immutable and thread-safe.
   *
   * @param index its place in the request, from 0
   * @param score its score, widened exactly
   * @since 0.1
   */
  public record Entry(int index, double score) {}

  /**
   * A candidate that cannot be ranked. Immutable and thread-safe.
   *
   * @param index its place in the request, from 0
   * @param reason {@code nan_score}
   * @since 0.1
   */
  public record Dropped(int index, String reason) {}

  private final List<Entry> entries;
  private final List<Dropped> dropped;
  private final Scores scores;

  Ranking(List<Entry> entries, List<Dropped> dropped, Scores scores) {
    this.entries = List.copyOf(entries);
    this.dropped = List.copyOf(dropped);
    this.scores = scores;
  }

  /** Returns the ranked candidates, best first, at most the request's {@code k}. */
  public List<Entry> entries() {
    return entries;
  }

  /** Returns every candidate whose score is NaN, by index; {@code k} does not cut it. */
  public List<Dropped> dropped() {
    return dropped;
  }

  /** Returns every head and score of every candidate, in input order. */
  public Scores scores() {
    return scores;
  }
}
