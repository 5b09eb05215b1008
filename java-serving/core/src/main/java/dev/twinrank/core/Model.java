package dev.twinrank.core;

import dev.twinrank.core.internal.bundle.Journal;
import dev.twinrank.core.internal.bundle.OpenedBundle;
import dev.twinrank.core.internal.bundle.Opening;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.Refusals;
import dev.twinrank.core.internal.pack.Slate;
import dev.twinrank.core.internal.rank.Columns;
import dev.twinrank.core.internal.rank.Order;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
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
  private static final String NAN_SCORE = "nan_score";

  private final OpenedBundle bundle;
  private final OptionalLong version;
  private final VerificationReport opening;
  private final Observation observation;

  private Model(
      OpenedBundle bundle,
      OptionalLong version,
      VerificationReport opening,
      List<ScoringListener> listeners) {
    this.bundle = bundle;
    this.version = version;
    this.opening = opening;
    List<Head> outputs = new ArrayList<>(bundle.heads());
    outputs.add(bundle.score());
    this.observation =
        new Observation(
            bundle.name(), version, bundle.digest(), bundle.plan().schema(), outputs, listeners);
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

  /** Opens a bundle whose manifest must have a certain name, if one is given. */
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
          new Model(opened.bundle(), version, journal.passed(verification), List.of());
      opened
          .rehearsal()
          .run(options.warmUp(), request -> rehearsing.rank(rehearsing.parse(request)).scores());
    } catch (RuntimeException e) {
      opened.bundle().session().close();
      throw e;
    }
    return new Model(opened.bundle(), version, journal.passed(verification), options.listeners());
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

  /** Returns how many candidates one request may have. */
  public int maxCandidates() {
    return bundle.maxCandidates();
  }

  /** Returns how the bundle proved itself on this host. */
  public Verification verification() {
    return bundle.verification();
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
   * @param json one JSON object in UTF-8, {@code {"context": {…}, "candidates": [{…}…], "k": 10}}
   * @throws ScoringException if the request is refused; the first problem in document order is the
   *     answer, but a departure from JSON anywhere comes first
   */
  public RankRequest parse(byte[] json) {
    Counts counts = new Counts(bundle.plan());
    Stages stages = observation.stages();
    stages.begin();
    try {
      Slate slate = bundle.reader().read(json, counts);
      stages.pack();
      return new RankRequest(bundle.plan(), slate, counts, stages.packNanos());
    } catch (ScoringException e) {
      stages.pack();
      observation.refused(counts, counts.candidates(), e, stages);
      throw e;
    }
  }

  /**
   * Scores a slate. A slate of no candidates does not run the graph.
   *
   * @throws ScoringException {@code unseen_value} if the graph knows a value not and its feature's
   *     policy refuses such, {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Scores score(RankRequest request) {
    Stages stages = observation.stages();
    Scores scores = run(request, stages);
    observation.answered(request.counts(), request.candidates(), stages);
    return scores;
  }

  private Scores run(RankRequest request, Stages stages) {
    if (request.plan() != bundle.plan() && !request.plan().schema().equals(schema())) {
      throw new IllegalArgumentException(
          "the request was made for a model with another schema; make it with this one");
    }
    stages.packed(request.packNanos());
    try {
      if (request.candidates() > maxCandidates()) {
        throw Refusals.tooMany(maxCandidates());
      }
      return new Scores(request.candidates(), heads(), score(), outputs(request.slate(), stages));
    } catch (ScoringException e) {
      observation.refused(request.counts(), request.candidates(), e, stages);
      throw e;
    }
  }

  /** Returns a column a head, the score's last. */
  private ByteBuffer[] outputs(Slate slate, Stages stages) {
    GraphSession session = bundle.session();
    int columns = heads().size() + 1;
    ByteBuffer[] outputs;
    try {
      if (slate.candidates() == 0) {
        outputs = session.run(slate, null);
      } else {
        outputs = run(session, slate, stages);
      }
    } catch (GraphFailure e) {
      throw new ScoringException(
          ErrorCode.SCORING_FAILED,
          "the runtime failed on a valid request of "
              + slate.candidates()
              + " candidates: "
              + e.getMessage(),
          Optional.empty(),
          OptionalInt.empty(),
          e);
    }
    checkUnseen(outputs, columns);
    for (int i = 0; i < columns; i++) {
      observation.values(i, outputs[i]);
    }
    return Arrays.copyOf(outputs, columns);
  }

  private static ByteBuffer[] run(GraphSession session, Slate slate, Stages stages)
      throws GraphFailure {
    Workspace workspace = session.take();
    try {
      stages.begin();
      session.fill(workspace, slate);
      stages.pack();
      try {
        session.run(workspace, null);
      } finally {
        stages.run();
      }
      return session.results(workspace);
    } finally {
      session.give(workspace);
    }
  }

  private void checkUnseen(ByteBuffer[] outputs, int first) {
    try {
      for (int i = first; i < outputs.length; i++) {
        bundle.plan().unseen().get(i - first).check(outputs[i]);
      }
    } catch (ScoringException e) {
      for (int i = first; i < outputs.length; i++) {
        observation.unseen(i - first, outputs[i]);
      }
      throw e;
    }
  }

  /**
   * Scores and orders a slate.
   *
   * @throws ScoringException {@code unseen_value} if the graph knows a value not and its feature's
   *     policy refuses such, {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Ranking rank(RankRequest request) {
    Stages stages = observation.stages();
    Scores scores = run(request, stages);
    stages.begin();
    Order order = Order.of(Columns.values(scores.scores(), score().dtype()));
    List<Ranking.Entry> entries = new ArrayList<>();
    for (int place = 0; place < Math.min(order.size(), request.k().orElse(order.size())); place++) {
      int index = order.at(place);
      entries.add(new Ranking.Entry(index, scores.score(index)));
    }
    List<Ranking.Dropped> dropped = new ArrayList<>();
    for (int place = 0; place < order.droppedSize(); place++) {
      dropped.add(new Ranking.Dropped(order.droppedAt(place), NAN_SCORE));
    }
    Ranking ranking = new Ranking(entries, dropped, scores);
    stages.order();
    observation.answered(request.counts(), request.candidates(), stages);
    return ranking;
  }

  /**
   * Returns what was counted since this model was opened; also after it was closed. Cheap enough to
   * be asked every second.
   */
  public Statistics statistics() {
    return observation.snapshot();
  }

  /** Waits for running calls, then releases native memory. Idempotent. */
  @Override
  public void close() {
    bundle.session().close();
  }
}
