package dev.twinrank.core;

import dev.twinrank.core.internal.rank.Order;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

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

  private final Scores scores;
  private final Order order;
  // Made when they are asked for; two threads may make equal ones.
  private volatile List<Entry> entries;
  private volatile List<Dropped> dropped;

  Ranking(Scores scores, Order order) {
    this.scores = scores;
    this.order = order;
  }

  /** Returns the number of ranked candidates, at most the request's {@code k}. */
  public int size() {
    return order.size();
  }

  /**
   * Returns the candidate at a place of the ranking, from 0: its place in the request.
   *
   * @throws IndexOutOfBoundsException if there is no such place
   */
  public int index(int place) {
    return order.at(Objects.checkIndex(place, order.size()));
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
          IntStream.range(0, order.size())
              .mapToObj(place -> new Entry(index(place), score(place)))
              .toList();
      entries = made;
    }
    return made;
  }

  /** Returns every candidate whose score is NaN, by index; {@code k} does not cut it. */
  public List<Dropped> dropped() {
    List<Dropped> made = dropped;
    if (made == null) {
      made =
          IntStream.range(0, order.droppedSize())
              .mapToObj(place -> new Dropped(order.droppedAt(place), NAN_SCORE))
              .toList();
      dropped = made;
    }
    return made;
  }

  /** Returns every head and score of every candidate, in input order. */
  public Scores scores() {
    return scores;
  }
}
