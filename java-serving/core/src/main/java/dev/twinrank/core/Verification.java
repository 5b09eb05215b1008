package dev.twinrank.core;

import java.util.Objects;

/**
 * How a bundle proved itself on this host. Immutable and thread-safe.
 *
 * @param state what the goldens proved
 * @param hostClass the class of this host: 64 lower-case hex digits
 * @param bundleHostClass the class of the host that made the bundle's evidence
 * @param goldens how many goldens were replayed
 * @param runtime the runtime and its release, for example {@code onnxruntime 1.29.0}
 * @since 0.1
 */
public record Verification(
    State state, String hostClass, String bundleHostClass, int goldens, String runtime) {

  /**
   * What the goldens proved. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum State {
    /** Every golden matched in every bit and in order. */
    VERIFIED_BITS("verified-bits"),
    /** Another host class: every golden matched within the bundle's own tolerance. */
    VERIFIED_REFERENCE("verified-reference");

    private final String label;

    State(String label) {
      this.label = label;
    }

    /** Returns the word of the contract: {@code verified-bits} or {@code verified-reference}. */
    public String label() {
      return label;
    }
  }

  /** Refuses nulls. */
  public Verification {
    Objects.requireNonNull(state, "state");
    Objects.requireNonNull(hostClass, "hostClass");
    Objects.requireNonNull(bundleHostClass, "bundleHostClass");
    Objects.requireNonNull(runtime, "runtime");
  }
}
