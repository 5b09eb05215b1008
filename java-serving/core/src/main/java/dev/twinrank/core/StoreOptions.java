package dev.twinrank.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * How a {@link ModelStore} works. Immutable; thread-safe if its listeners are.
 *
 * @param model how every bundle is opened: what it must prove, who must have signed it, whose
 *     memory it takes
 * @param start what the store loads when it is opened
 * @param previous how many versions of a name that were active before stay loaded, ready to roll
 *     back to
 * @param listeners who is told what happens
 * @since 0.1
 */
public record StoreOptions(
    ModelOptions model, Start start, int previous, List<StoreListener> listeners) {

  /**
   * What a store loads when it is opened. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Start {
    /** Nothing; the caller says what. */
    EMPTY,
    /** The newest version of every name is loaded and activated; if one fails, the store does. */
    NEWEST
  }

  /**
   * Refuses nulls, and a negative number.
   *
   * @throws IllegalArgumentException if {@code previous} is negative
   */
  public StoreOptions {
    Objects.requireNonNull(model, "model");
    Objects.requireNonNull(start, "start");
    listeners = List.copyOf(listeners);
    if (previous < 0) {
      throw new IllegalArgumentException("previous is " + previous + "; 0 or more is allowed");
    }
  }

  /** Returns the defaults: bundles prove every bit, nothing is loaded, one version is kept. */
  public static StoreOptions defaults() {
    return builder().build();
  }

  /** Returns a builder that starts with the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Collects options. Not thread-safe.
   *
   * @since 0.1
   */
  public static final class Builder {
    private final List<StoreListener> listeners = new ArrayList<>();
    private ModelOptions model = ModelOptions.defaults();
    private Start start = Start.EMPTY;
    private int previous = 1;

    private Builder() {}

    /** Sets how every bundle is opened; {@link ModelOptions#defaults} if not said. */
    public Builder model(ModelOptions value) {
      model = Objects.requireNonNull(value, "model");
      return this;
    }

    /** Sets what is loaded when the store is opened; {@link Start#EMPTY} if not said. */
    public Builder start(Start value) {
      start = Objects.requireNonNull(value, "start");
      return this;
    }

    /**
     * Sets how many versions that were active before stay loaded to roll back to; 1 if not said.
     * While a version is replaced, one more than these and the active one are in memory.
     *
     * @throws IllegalArgumentException if it is negative (from {@link #build})
     */
    public Builder previous(int value) {
      previous = value;
      return this;
    }

    /** Adds one who is told what happens. */
    public Builder listener(StoreListener value) {
      listeners.add(Objects.requireNonNull(value, "listener"));
      return this;
    }

    /** Returns the options. */
    public StoreOptions build() {
      return new StoreOptions(model, start, previous, listeners);
    }
  }
}
