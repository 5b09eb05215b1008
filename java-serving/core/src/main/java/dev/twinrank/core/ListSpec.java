package dev.twinrank.core;

import java.util.Objects;

/**
 * Makes a feature a list: how many elements are kept, and which end. Immutable and thread-safe.
 *
 * @param maxLength the number of elements kept, 1 to 4096; longer lists are valid and truncated
 * @param keep the end that stays when the list is longer
 * @since 0.1
 */
public record ListSpec(int maxLength, Keep keep) {

  /**
   * The end of a list that stays when it is longer than the maximum. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Keep {
    /** The first elements stay. */
    FIRST("first"),
    /** The last elements stay. */
    LAST("last");

    private final String label;

    Keep(String label) {
      this.label = label;
    }

    /** Returns the word that manifests use: {@code first} or {@code last}. */
    public String label() {
      return label;
    }
  }

  /**
   * Checks the bounds.
   *
   * @throws IllegalArgumentException if {@code maxLength} is outside 1 to 4096
   */
  public ListSpec {
    Objects.requireNonNull(keep, "keep");
    if (maxLength < 1 || maxLength > 4096) {
      throw new IllegalArgumentException("maxLength is " + maxLength + "; 1 to 4096 is allowed");
    }
  }
}
