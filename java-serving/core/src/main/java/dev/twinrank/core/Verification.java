package dev.twinrank.core;

import java.util.List;
import java.util.Objects;

/**
 * How a bundle proved itself on this host. Immutable and thread-safe.
 *
 * @param state what the goldens proved
 * @param hostClass the class of this host: 64 lower-case hex digits
 * @param bundleHostClass the class of the host that made the bundle's evidence
 * @param goldens how many goldens were replayed
 * @param runtime the runtime and its release, for example {@code onnxruntime 1.29.0}
 * @param attested whether it is verified in bits by an attestation of this host's class
 * @param signature what the signature told, under the caller's policy
 * @param signatureDetail why the signature is invalid; empty otherwise
 * @param installation how the external weights were looked at
 * @param allowed the findings that a person let pass at export; show them wherever this is shown
 * @since 0.1
 */
public record Verification(
    State state,
    String hostClass,
    String bundleHostClass,
    int goldens,
    String runtime,
    boolean attested,
    SignatureState signature,
    String signatureDetail,
    Installation installation,
    List<Allowed> allowed) {

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

  /**
   * What a bundle's signature told. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum SignatureState {
    /** The policy is {@link SignaturePolicy.Mode#NONE}: nobody looked. */
    UNCHECKED("unchecked"),
    /** The bundle has no signature. */
    MISSING("missing"),
    /** The signature does not verify, or does not cover exactly the bundle's files. */
    INVALID("invalid"),
    /** The signature verifies under one of the caller's keys and covers every file. */
    VALID("valid");

    private final String label;

    SignatureState(String label) {
      this.label = label;
    }

    /** Returns the word of the contract, for example {@code unchecked}. */
    public String label() {
      return label;
    }
  }

  /**
   * How {@code model.onnx.data} was looked at. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Installation {
    /** It was read and digested. */
    DIGESTED("digested"),
    /** It is the file of an earlier verification, as that one's record says. */
    RECORDED("recorded"),
    /** The bundle has none. */
    NO_EXTERNAL_DATA("no external data");

    private final String label;

    Installation(String label) {
      this.label = label;
    }

    /** Returns the words of the contract: {@code digested} or {@code recorded}, say. */
    public String label() {
      return label;
    }
  }

  /**
   * A finding that the export would have refused and a person let pass. Immutable and thread-safe.
   *
   * @param finding its stable name, for example {@code batch_variant}
   * @param detail what was found, and where
   * @param reason why it was allowed
   * @since 0.1
   */
  public record Allowed(String finding, String detail, String reason) {
    /** Refuses nulls. */
    public Allowed {
      Objects.requireNonNull(finding, "finding");
      Objects.requireNonNull(detail, "detail");
      Objects.requireNonNull(reason, "reason");
    }
  }

  /** Refuses nulls. */
  public Verification {
    Objects.requireNonNull(state, "state");
    Objects.requireNonNull(hostClass, "hostClass");
    Objects.requireNonNull(bundleHostClass, "bundleHostClass");
    Objects.requireNonNull(runtime, "runtime");
    Objects.requireNonNull(signature, "signature");
    Objects.requireNonNull(signatureDetail, "signatureDetail");
    Objects.requireNonNull(installation, "installation");
    allowed = List.copyOf(allowed);
  }
}
