package dev.twinrank.core;

import dev.twinrank.core.internal.bundle.Journal;
import dev.twinrank.core.internal.bundle.OpenedBundle;
import dev.twinrank.core.internal.bundle.Opening;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackedSlate;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A bundle that has proved itself and is ready to score. Thread-safe: any number of threads may
 * parse and score at once.
 *
 * <p>Whoever opened it closes it. {@link #close} waits for running calls and is idempotent; scoring
 * a closed model throws {@link IllegalStateException}.
 *
 * @since 0.1
 */
public final class Model implements AutoCloseable {
  private final OpenedBundle bundle;
  private final OptionalLong version;
  private final VerificationReport opening;
  private final Observation observation;
  private final Scoring scoring;
  private final boolean stored;
  private final Instant opened = Instant.now();

  private Model(
      OpenedBundle bundle,
      OptionalLong version,
      VerificationReport opening,
      List<ScoringListener> listeners,
      boolean stored) {
    this.stored = stored;
    this.bundle = bundle;
    this.version = version;
    this.opening = opening;
    List<Head> outputs = new ArrayList<>(bundle.heads());
    outputs.add(bundle.score());
    this.observation =
        new Observation(
            bundle.name(), version, bundle.digest(), bundle.plan().schema(), outputs, listeners);
    this.scoring = new Scoring(bundle, observation);
  }

  /**
   * Opens a bundle that must prove every bit on this host.
   *
   * @param bundle the directory {@code <models>/<name>/<version>}
   * @throws BundleException if the bundle is unusable; it carries every problem of the phase that
   *     failed
   */
  public static Model open(Path bundle) {
    return open(bundle, ModelOptions.defaults());
  }

  /**
   * Opens a bundle.
   *
   * @param bundle the directory {@code <models>/<name>/<version>}
   * @param options what it must prove, and by whom it must be signed
   * @throws BundleException if the bundle is unusable; it carries every problem of the phase that
   *     failed
   */
  public static Model open(Path bundle, ModelOptions options) {
    return open(bundle, options, Optional.empty());
  }

  /** Opens a bundle for a store, whose manifest must have that name, if one is given. */
  static Model open(Path bundle, ModelOptions options, Optional<String> name) {
    return open(bundle, options, name, new Journal(bundle));
  }

  private static Model open(
      Path bundle, ModelOptions options, Optional<String> name, Journal journal) {
    OptionalLong version = ModelFolders.version(bundle.toAbsolutePath().normalize());
    Opening opened =
        OpenedBundle.open(
            bundle, options, name, options.memory().map(MemoryBudget::books), journal);
    Verification verification = opened.bundle().verification();
    try {
      // A model of its own, so that neither statistics nor listeners take goldens for callers.
      Model rehearsing =
          new Model(opened.bundle(), version, journal.passed(verification), List.of(), true);
      opened
          .rehearsal()
          .run(
              options.warmUp(),
              request -> rehearsing.rank(rehearsing.parse(request)).scores(),
              new SlateRehearsal(rehearsing)::of);
    } catch (RuntimeException | Error e) {
      opened.bundle().session().close();
      throw e;
    }
    return new Model(
        opened.bundle(),
        version,
        journal.passed(verification),
        options.listeners(),
        name.isPresent());
  }

  /**
   * Opens a bundle, reports how far it came and what is wrong, and closes it again.
   *
   * @param bundle the directory {@code <models>/<name>/<version>}
   * @param options what it must prove, and by whom it must be signed
   * @return never null; {@link VerificationReport#passed} says whether {@link #open} would return
   * @throws IllegalStateException if the runtime cannot be used in this process, which says nothing
   *     of the bundle
   */
  public static VerificationReport verify(Path bundle, ModelOptions options) {
    Journal journal = new Journal(bundle);
    try (Model model = open(bundle, options, Optional.empty(), journal)) {
      return model.opening();
    } catch (BundleException e) {
      return journal.failed(e);
    }
  }

  /** Returns the model's name, from the manifest. */
  public String name() {
    return bundle.name();
  }

  /** Returns the version: the directory's name, if it is a positive decimal without zeros ahead. */
  public OptionalLong version() {
    return version;
  }

  /** Returns the bundle's digest: {@code sha256:} and 64 lower-case hex digits. */
  public String digest() {
    return bundle.digest();
  }

  /** Returns the features, in order. */
  public Schema schema() {
    return bundle.plan().schema();
  }

  /** Returns the heads, in order, without the score. */
  public List<Head> heads() {
    return bundle.heads();
  }

  /** Returns the output that orders the slate; its name is {@code score}. */
  public Head score() {
    return bundle.score();
  }

  /**
   * Returns how far a value may be from a golden's on another host class, as an absolute
   * difference: one number a head, in their order, and the score's last. Where the verification is
   * in bits nothing may differ, and these are not looked at.
   */
  public List<Double> tolerances() {
    return bundle.tolerances();
  }

  /** Returns the moment at which this model was opened, from which its statistics count. */
  public Instant opened() {
    return opened;
  }

  /** Returns how many candidates one request may have. */
  public int maxCandidates() {
    return bundle.maxCandidates();
  }

  /** Returns how the bundle proved itself on this host. */
  public Verification verification() {
    return bundle.verification();
  }

  /** Returns what scores this model, and why. */
  public ModelEngine engine() {
    return bundle.engine();
  }

  /** Returns the report of how this model was opened: its phases, its goldens, their times. */
  public VerificationReport opening() {
    return opening;
  }

  /**
   * Replays every golden on the graph that serves, and reports. Callers go on; the replay is one
   * caller more, which neither {@link #statistics} nor listeners take for a request.
   *
   * <p>The goldens are read from the bundle's directory again and compared with the manifest that
   * was read when the model was opened; nothing of them is kept in memory between verifications. So
   * a directory that is gone or changed is a problem of the report too, though the model serves on.
   *
   * @return never null, whatever differs
   * @throws IllegalStateException if this model is closed
   */
  public VerificationReport verify() {
    return bundle.goldens().verify(verification());
  }

  /** Returns a builder of requests from typed values. */
  public RankRequest.Builder request() {
    return new RankRequest.Builder(bundle.plan(), bundle.maxCandidates(), observation);
  }

  /**
   * Reads a request from JSON and packs it.
   *
   * @param json one JSON object in UTF-8, {@code {"context": {…}, "candidates": [{…}…], "k": 10}};
   *     the candidates may come in columns, {@code {"item": [1, 2…]…}}
   * @throws ScoringException if the request is refused; the first problem in document order is the
   *     answer, but a departure from JSON anywhere comes first
   */
  public RankRequest parse(byte[] json) {
    Counts counts = new Counts(bundle.plan());
    Stages stages = observation.stages();
    stages.begin();
    try {
      PackedSlate slate = bundle.reader().read(json, counts);
      stages.pack();
      return new RankRequest(bundle.plan(), slate, counts, stages.packNanos());
    } catch (ScoringException e) {
      stages.pack();
      observation.refused(counts, counts.candidates(), e, stages);
      throw e;
    }
  }

  /**
   * Leases a slate: a request that is written straight into the memory that the graph reads. The
   * caller closes it.
   *
   * @param candidates how many, from 0; {@link Slate#reset} starts another request with any number
   * @throws ScoringException {@code too_many_candidates}, or {@code memory_exhausted} or {@code
   *     scoring_failed} if there is no memory for so many
   * @throws IllegalArgumentException if {@code candidates} is negative
   * @throws IllegalStateException if this model is closed
   */
  public Slate slate(int candidates) {
    return scoring.lease(candidates);
  }

  /**
   * Scores a slate. A slate of no candidates does not run the graph.
   *
   * @throws ScoringException {@code missing_feature} or {@code length_mismatch} if the slate lacks
   *     something, {@code unseen_value} if the graph knows a value not and its feature's policy
   *     refuses such, {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the slate was leased from another model
   * @throws IllegalStateException if this model or the slate is closed, or the slate is spent
   */
  public Scores scores(Slate slate) {
    return scoring.scores(slate, null);
  }

  /**
   * Scores a slate, unless that is ended before.
   *
   * @param cancellation what can end it
   * @throws ScoringException {@code missing_feature} or {@code length_mismatch} if the slate lacks
   *     something, {@code unseen_value} if the graph knows a value not and its feature's policy
   *     refuses such, {@code scoring_failed} if the runtime fails, {@code cancelled} or {@code
   *     deadline_exceeded}
   * @throws IllegalArgumentException if the slate was leased from another model
   * @throws IllegalStateException if this model or the slate is closed, or the slate is spent
   */
  public Scores scores(Slate slate, Cancellation cancellation) {
    return scoring.scores(slate, Objects.requireNonNull(cancellation, "cancellation"));
  }

  /**
   * Scores and orders a slate; every candidate is ranked.
   *
   * @throws ScoringException {@code missing_feature} or {@code length_mismatch} if the slate lacks
   *     something, {@code unseen_value} if the graph knows a value not and its feature's policy
   *     refuses such, {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the slate was leased from another model
   * @throws IllegalStateException if this model or the slate is closed, or the slate is spent
   */
  public Ranking rank(Slate slate) {
    return scoring.rank(slate, Integer.MAX_VALUE, null);
  }

  /**
   * Scores and orders a slate.
   *
   * @param k how many ranked candidates are wanted, at least 0; more than there are means all
   * @throws ScoringException {@code invalid_request} if {@code k} is negative, {@code
   *     missing_feature} or {@code length_mismatch} if the slate lacks something, {@code
   *     unseen_value} if the graph knows a value not and its feature's policy refuses such, {@code
   *     scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the slate was leased from another model
   * @throws IllegalStateException if this model or the slate is closed, or the slate is spent
   */
  public Ranking rank(Slate slate, int k) {
    return scoring.rank(slate, k, null);
  }

  /**
   * Scores and orders a slate, unless that is ended before.
   *
   * @param k how many ranked candidates are wanted, at least 0; more than there are means all
   * @param cancellation what can end it
   * @throws ScoringException {@code invalid_request} if {@code k} is negative, {@code
   *     missing_feature} or {@code length_mismatch} if the slate lacks something, {@code
   *     unseen_value} if the graph knows a value not and its feature's policy refuses such, {@code
   *     scoring_failed} if the runtime fails, {@code cancelled} or {@code deadline_exceeded}
   * @throws IllegalArgumentException if the slate was leased from another model
   * @throws IllegalStateException if this model or the slate is closed, or the slate is spent
   */
  public Ranking rank(Slate slate, int k, Cancellation cancellation) {
    return scoring.rank(slate, k, Objects.requireNonNull(cancellation, "cancellation"));
  }

  /**
   * Scores a request. One of no candidates does not run the graph.
   *
   * @throws ScoringException {@code unseen_value} if the graph knows a value not and its feature's
   *     policy refuses such, {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Scores score(RankRequest request) {
    return scoring.score(request, null);
  }

  /**
   * Scores a request, unless that is ended before.
   *
   * @param cancellation what can end it
   * @throws ScoringException {@code unseen_value} if the graph knows a value not and its feature's
   *     policy refuses such, {@code scoring_failed} if the runtime fails, {@code cancelled} or
   *     {@code deadline_exceeded}
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Scores score(RankRequest request, Cancellation cancellation) {
    return scoring.score(request, Objects.requireNonNull(cancellation, "cancellation"));
  }

  /**
   * Scores and orders a request.
   *
   * @throws ScoringException {@code unseen_value} if the graph knows a value not and its feature's
   *     policy refuses such, {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Ranking rank(RankRequest request) {
    return scoring.rank(request, null);
  }

  /**
   * Scores and orders a request, unless that is ended before.
   *
   * @param cancellation what can end it
   * @throws ScoringException {@code unseen_value} if the graph knows a value not and its feature's
   *     policy refuses such, {@code scoring_failed} if the runtime fails, {@code cancelled} or
   *     {@code deadline_exceeded}
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Ranking rank(RankRequest request, Cancellation cancellation) {
    return scoring.rank(request, Objects.requireNonNull(cancellation, "cancellation"));
  }

  /**
   * Returns what was counted since this model was opened; also after it was closed. Cheap enough to
   * be asked every second.
   */
  public Statistics statistics() {
    return observation.snapshot();
  }

  /**
   * Waits for running calls, then releases native memory. Idempotent.
   *
   * @throws IllegalStateException if this model belongs to a {@link ModelStore}: others score with
   *     it, so its lease is closed instead
   */
  @Override
  public void close() {
    if (stored) {
      throw new IllegalStateException(
          "this model belongs to a store, and others score with it; close the lease, and the store"
              + " closes the model when nobody needs it");
    }
    release();
  }

  /** Closes a model that a store holds. */
  void release() {
    bundle.session().close();
  }
}
