package dev.twinrank.core;

import java.util.List;
import java.util.OptionalInt;

/**
 * A request that has been checked and packed for one model. Immutable and thread-safe.
 *
 * @since 0.1
 */
public final class RankRequest {
  private RankRequest() {}

  /** Returns the number of candidates. */
  public int candidates() {
    throw new UnsupportedOperationException();
  }

  /** Returns how many ranked candidates are wanted; empty means all. */
  public OptionalInt k() {
    throw new UnsupportedOperationException();
  }

  /** Returns the graph's inputs, in the order of the packing. */
  public List<PackedBlock> blocks() {
    throw new UnsupportedOperationException();
  }

  /**
   * Builds a request from typed values, by the rules that JSON requests obey. Not thread-safe.
   *
   * <p>Values are checked as they are given. An integer is accepted for a float feature and
   * converted as a literal would be; a float is never accepted for an integer feature, and a
   * boolean is never a number. Null means missing. A builder that has thrown is spent: {@link
   * #build} throws the same again.
   *
   * <p>Every {@code context} and {@code set} method throws {@link ScoringException} with {@code
   * unknown_feature}, or, where the feature's {@code invalid} policy is {@code error}, with {@code
   * wrong_type}, {@code out_of_range}, {@code non_finite} or {@code invalid_string}; and {@link
   * IllegalArgumentException} if that feature already has a value.
   *
   * @since 0.1
   */
  public static final class Builder {
    private Builder() {}

    /**
     * Sets how many ranked candidates are wanted; all if not said.
     *
     * @throws ScoringException {@code invalid_request} if {@code k} is negative
     */
    public Builder k(int k) {
      throw new UnsupportedOperationException();
    }

    /** Gives an integer for a context feature. */
    public Builder context(String feature, long value) {
      throw new UnsupportedOperationException();
    }

    /** Gives a float for a context feature. */
    public Builder context(String feature, double value) {
      throw new UnsupportedOperationException();
    }

    /** Gives a boolean for a context feature. */
    public Builder context(String feature, boolean value) {
      throw new UnsupportedOperationException();
    }

    /** Gives a string for a context feature. */
    public Builder context(String feature, String value) {
      throw new UnsupportedOperationException();
    }

    /** Gives integers for a context list. */
    public Builder context(String feature, long[] values) {
      throw new UnsupportedOperationException();
    }

    /** Gives floats for a context list. */
    public Builder context(String feature, double[] values) {
      throw new UnsupportedOperationException();
    }

    /** Gives booleans for a context list. */
    public Builder context(String feature, boolean[] values) {
      throw new UnsupportedOperationException();
    }

    /** Gives strings for a context list. */
    public Builder context(String feature, List<String> values) {
      throw new UnsupportedOperationException();
    }

    /**
     * Starts the next candidate.
     *
     * @throws ScoringException if the candidate before it lacks a required feature, or there are
     *     too many
     */
    public Builder candidate() {
      throw new UnsupportedOperationException();
    }

    /** Gives an integer for a feature of the current candidate. */
    public Builder set(String feature, long value) {
      throw new UnsupportedOperationException();
    }

    /** Gives a float for a feature of the current candidate. */
    public Builder set(String feature, double value) {
      throw new UnsupportedOperationException();
    }

    /** Gives a boolean for a feature of the current candidate. */
    public Builder set(String feature, boolean value) {
      throw new UnsupportedOperationException();
    }

    /** Gives a string for a feature of the current candidate. */
    public Builder set(String feature, String value) {
      throw new UnsupportedOperationException();
    }

    /** Gives integers for a list of the current candidate. */
    public Builder set(String feature, long[] values) {
      throw new UnsupportedOperationException();
    }

    /** Gives floats for a list of the current candidate. */
    public Builder set(String feature, double[] values) {
      throw new UnsupportedOperationException();
    }

    /** Gives booleans for a list of the current candidate. */
    public Builder set(String feature, boolean[] values) {
      throw new UnsupportedOperationException();
    }

    /** Gives strings for a list of the current candidate. */
    public Builder set(String feature, List<String> values) {
      throw new UnsupportedOperationException();
    }

    /**
     * Returns the request; the builder is spent.
     *
     * @throws ScoringException if the context or the last candidate lacks a required feature
     */
    public RankRequest build() {
      throw new UnsupportedOperationException();
    }
  }
}
