package dev.twinrank.core;

import dev.twinrank.core.internal.life.Budget;
import java.util.Map;

/**
 * A bound of native memory, shared by every model that is opened with it ({@link
 * ModelOptions.Builder#memory}), in any number of stores. Thread-safe.
 *
 * <p>The bound is kept by books, before native code is asked for anything: a model that does not
 * fit is a {@link BundleException} with the code {@code memory_budget_exceeded}, and a slate that
 * does not fit is a {@link ScoringException} with the code {@code memory_exhausted}, after which
 * the model goes on. The books hold
 *
 * <ul>
 *   <li>for each model, from before the runtime sees it until it is closed, an estimate of its
 *       session;
 *   <li>while a model is loaded, what loading takes beside that;
 *   <li>the direct memory of every slate and workspace, also of idle ones, which are dropped when
 *       memory is short, before anything is refused.
 * </ul>
 *
 * @since 0.1
 */
public final class MemoryBudget {
  private final Budget books;

  private MemoryBudget(Budget books) {
    this.books = books;
  }

  /**
   * Returns a budget that nothing is taken of.
   *
   * @param bytes the bound, positive
   * @throws IllegalArgumentException if it is not positive
   */
  public static MemoryBudget of(long bytes) {
    if (bytes <= 0) {
      throw new IllegalArgumentException(
          "a budget of " + bytes + " bytes; give what models may take, for example 2L << 30");
    }
    return new MemoryBudget(new Budget(bytes));
  }

  /** Returns the bound, in bytes. */
  public long limit() {
    return books.limit();
  }

  /** Returns how much is taken, in bytes: never more than {@link #limit}, 0 when all is closed. */
  public long used() {
    return books.used();
  }

  /**
   * Returns how much each model has taken, in bytes, by the directory of its bundle; models opened
   * from one directory are added up. A snapshot.
   */
  public Map<String, Long> reservations() {
    return Map.copyOf(books.reservations());
  }

  Budget books() {
    return books;
  }

  @Override
  public String toString() {
    return "MemoryBudget: of its bytes " + books.describe();
  }
}
