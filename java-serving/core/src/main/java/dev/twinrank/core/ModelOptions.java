package dev.twinrank.core;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * How to open a model. Immutable and thread-safe.
 *
 * @param require how much a bundle must prove before it may serve
 * @param signature whether it must be signed, and by whom
 * @param installation whether a record of an earlier verification spares reading external weights
 * @param warmUp how much is scored before the model is handed out
 * @param listeners who hears of every request, in the order in which they are called
 * @param memory the bound of native memory that the model shares with others, if any
 * @param trees what scores models of trees
 * @since 0.1
 */
public record ModelOptions(
    Require require,
    SignaturePolicy signature,
    InstallationPolicy installation,
    WarmUp warmUp,
    List<ScoringListener> listeners,
    Optional<MemoryBudget> memory,
    TreeEngine trees) {

  /**
   * How much a bundle must prove before it may serve. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Require {
    /**
     * This host must be of the class that made the evidence, or of one that an attestation beside
     * the bundle speaks of, and every bit must match.
     */
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

  /**
   * Whether external weights are digested at every opening. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum InstallationPolicy {
    /** They are; no record is read or written. */
    ALWAYS("always"),
    /**
     * They are not while the record {@code <version>.verified.json} beside the bundle names this
     * bundle, this host class, this runtime, and the file as it is now: its device, inode, size and
     * times. Otherwise they are, and the record is written where the folder allows it.
     */
    TRUST_RECORD("trust_record");

    private final String label;

    InstallationPolicy(String label) {
      this.label = label;
    }

    /** Returns the word of the contract: {@code always} or {@code trust_record}. */
    public String label() {
      return label;
    }
  }

  /**
   * How much is scored before a model is handed out, so that the first request meets code that is
   * compiled and memory that has its size. The requests of the goldens go the way that callers'
   * requests go; statistics and listeners do not see them. An answer that is not the golden's is
   * {@code golden_mismatch}. Immutable and thread-safe.
   *
   * <p>Goldens of few candidates go first, so that a limit cuts off the large ones, which the proof
   * has scored once anyway.
   *
   * @param rounds how often every golden is scored from JSON, at most, and, from the second time
   *     on, as a {@link Slate} where it can be one; 0 for no warm-up
   * @param limit after which no further request is begun
   * @since 0.1
   */
  public record WarmUp(int rounds, Duration limit) {
    /** What is done if nothing is said: at most 10 rounds and a tenth of a second. */
    public static final WarmUp DEFAULT = new WarmUp(10, Duration.ofMillis(100));

    /** No warm-up: the goldens are replayed once, for the proof, and that is all. */
    public static final WarmUp NONE = new WarmUp(0, Duration.ZERO);

    /**
     * Refuses what makes no sense.
     *
     * @throws IllegalArgumentException if one of them is negative
     */
    public WarmUp {
      if (rounds < 0 || limit.isNegative()) {
        throw new IllegalArgumentException(
            "a warm-up of " + rounds + " rounds and " + limit + "; neither may be negative");
      }
    }
  }

  /**
   * What scores models of trees: this library itself, or ONNX Runtime. Both give the same bits, and
   * the goldens are replayed over the one that serves. Models without trees are ONNX Runtime's,
   * whatever is said. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum TreeEngine {
    /**
     * What the system property {@code twinrank.trees} says: {@code java}, {@code onnxruntime}, or
     * {@code auto}. Without it, or where it says so, both are measured on the bundle's goldens
     * while it is opened, and the faster one serves; ONNX Runtime does where the graph holds what
     * only it knows.
     */
    AUTO("auto"),
    /**
     * This library; no session of ONNX Runtime is made. A bundle whose graph it does not know is
     * refused: {@code session_failed}.
     */
    JAVA("java"),
    /** ONNX Runtime. */
    ONNX_RUNTIME("onnxruntime");

    private final String label;

    TreeEngine(String label) {
      this.label = label;
    }

    /** Returns the word of the system property, for example {@code auto}. */
    public String label() {
      return label;
    }
  }

  /** Refuses nulls, and copies the listeners. */
  public ModelOptions {
    Objects.requireNonNull(require, "require");
    Objects.requireNonNull(signature, "signature");
    Objects.requireNonNull(installation, "installation");
    Objects.requireNonNull(warmUp, "warmUp");
    listeners = List.copyOf(listeners);
    Objects.requireNonNull(memory, "memory");
    Objects.requireNonNull(trees, "trees");
  }

  /** Makes options that look at no signature and digest everything. */
  public ModelOptions(Require require) {
    this(
        require,
        SignaturePolicy.none(),
        InstallationPolicy.ALWAYS,
        WarmUp.DEFAULT,
        List.of(),
        Optional.empty(),
        TreeEngine.AUTO);
  }

  /** Returns the defaults: every bit is proved, no signature looked at, everything digested. */
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
    private SignaturePolicy signature = SignaturePolicy.none();
    private InstallationPolicy installation = InstallationPolicy.ALWAYS;
    private WarmUp warmUp = WarmUp.DEFAULT;
    private final List<ScoringListener> listeners = new ArrayList<>();
    private Optional<MemoryBudget> memory = Optional.empty();
    private TreeEngine trees = TreeEngine.AUTO;

    private Builder() {}

    /** Sets how much a bundle must prove before it may serve; {@link Require#BITS} if not said. */
    public Builder require(Require value) {
      require = Objects.requireNonNull(value, "require");
      return this;
    }

    /** Sets whether a bundle must be signed; {@link SignaturePolicy#none} if not said. */
    public Builder signature(SignaturePolicy value) {
      signature = Objects.requireNonNull(value, "signature");
      return this;
    }

    /**
     * Sets whether a record may spare reading external weights; {@link InstallationPolicy#ALWAYS}
     * if not said.
     */
    public Builder installation(InstallationPolicy value) {
      installation = Objects.requireNonNull(value, "installation");
      return this;
    }

    /** Sets how much is scored before a model is handed out; {@link WarmUp#DEFAULT} if not said. */
    public Builder warmUp(WarmUp value) {
      warmUp = Objects.requireNonNull(value, "warmUp");
      return this;
    }

    /** Adds one who hears of every request; nobody does if not said. */
    public Builder listener(ScoringListener value) {
      listeners.add(Objects.requireNonNull(value, "listener"));
      return this;
    }

    /** Sets the bound of native memory that the model shares with others; none if not said. */
    public Builder memory(MemoryBudget value) {
      memory = Optional.of(value);
      return this;
    }

    /** Sets what scores models of trees; {@link TreeEngine#AUTO} if not said. */
    public Builder trees(TreeEngine value) {
      trees = Objects.requireNonNull(value, "trees");
      return this;
    }

    /** Returns the options. */
    public ModelOptions build() {
      return new ModelOptions(require, signature, installation, warmUp, listeners, memory, trees);
    }
  }
}
