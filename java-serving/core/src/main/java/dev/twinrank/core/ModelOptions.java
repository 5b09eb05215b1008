package dev.twinrank.core;

import java.util.Objects;

/**
 * How to open a model. Immutable and thread-safe.
 *
 * @param require how much a bundle must prove before it may serve
 * @since 0.1
 */
public record ModelOptions(Require require) {

  /**
   * How much a bundle must prove before it may serve. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Require {
    /** This host must be of the class that made the evidence, and every bit must match. */
    BITS("bits"),
    /** On another host class, the bundle's own tolerance is enough. */
    REFERENCE("reference");

    private final String label;

    Require(String label) {
      this.label = label;
    }

    /** Returns the word of the contract: {@code bits} or {@code reference}. */
    public String label() {
      return label;
    }
  }

  /** Refuses nulls. */
  public ModelOptions {
    Objects.requireNonNull(require, "require");
  }

  /** Returns the defaults: a bundle must prove every bit. */
  public static ModelOptions defaults() {
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
    private Require require = Require.BITS;

    private Builder() {}

    /** Sets how much a bundle must prove before it may serve; {@link Require#BITS} if not said. */
    public Builder require(Require value) {
      require = Objects.requireNonNull(value, "require");
      return this;
    }

    /** Returns the options. */
    public ModelOptions build() {
      return new ModelOptions(require);
    }
  }
}
