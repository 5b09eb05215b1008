package dev.twinrank.core;

import dev.twinrank.core.internal.rank.Order;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

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

  private static final String NAN_SCORE = "nan_score";
  private static final int[] NONE = {};

  private final Scores scores;
  private final int[] ranked;
  private final int[] unranked;
  // Made when they are asked for; two threads may make equal ones.
  private volatile List<Entry> entries;
  private volatile List<Dropped> dropped;

  /** Takes at most {@code limit} ranked candidates of an order. */
  Ranking(Scores scores, Order order, int limit) {
    this.scores = scores;
    this.ranked = new int[Math.min(limit, order.size())];
    for (int place = 0; place < ranked.length; place++) {
      ranked[place] = order.at(place);
    }
    this.unranked = order.droppedSize() == 0 ? NONE : new int[order.droppedSize()];
    for (int place = 0; place < unranked.length; place++) {
      unranked[place] = order.droppedAt(place);
    }
  }

  /** Returns the number of ranked candidates, at most the request's {@code k}. */
  public int size() {
    return ranked.length;
  }

  /**
   * Returns the candidate at a place of the ranking, from 0: its place in the request.
   *
   * @throws IndexOutOfBoundsException if there is no such place
   */
  public int index(int place) {
    return ranked[Objects.checkIndex(place, ranked.length)];
  }

  /**
   * Returns the score at a place of the ranking, widened exactly.
   *
   * @throws IndexOutOfBoundsException if there is no such place
   */
  public double score(int place) {
    return scores.score(index(place));
  }

  /**
   * Returns the ranked candidates, best first, at most the request's {@code k}. The list is made by
   * the first call; {@link #index} and {@link #score} make nothing.
   */
  public List<Entry> entries() {
    List<Entry> made = entries;
    if (made == null) {
      made =
          Arrays.stream(ranked).mapToObj(index -> new Entry(index, scores.score(index))).toList();
      entries = made;
    }
    return made;
  }

  /** Returns every candidate whose score is NaN, by index; {@code k} does not cut it. */
  public List<Dropped> dropped() {
    List<Dropped> made = dropped;
    if (made == null) {
      made = Arrays.stream(unranked).mapToObj(index -> new Dropped(index, NAN_SCORE)).toList();
      dropped = made;
    }
    return made;
  }

  /** Returns every head and score of every candidate, in input order. */
  public Scores scores() {
    return scores;
  }
}
