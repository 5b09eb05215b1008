package dev.twinrank.core;

import dev.twinrank.core.internal.bundle.OpenedBundle;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.pack.Refusals;
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
import java.util.regex.Pattern;

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
  private static final Pattern VERSION = Pattern.compile("[1-9][0-9]{0,17}");
  private static final String NAN_SCORE = "nan_score";

  private final OpenedBundle bundle;
  private final OptionalLong version;

  private Model(OpenedBundle bundle, OptionalLong version) {
    this.bundle = bundle;
    this.version = version;
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
    Path name = bundle.toAbsolutePath().normalize().getFileName();
    OptionalLong version =
        name != null && VERSION.matcher(name.toString()).matches()
            ? OptionalLong.of(Long.parseLong(name.toString()))
            : OptionalLong.empty();
    return new Model(OpenedBundle.open(bundle, options), version);
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

  /** Returns a builder of requests from typed values. */
  public RankRequest.Builder request() {
    return new RankRequest.Builder(bundle.plan(), bundle.maxCandidates());
  }

  /**
   * Reads a request from JSON and packs it.
   *
   * @param json one JSON object in UTF-8, {@code {"context": {…}, "candidates": [{…}…], "k": 10}}
   * @throws ScoringException if the request is refused; the first problem in document order is the
   *     answer, but a departure from JSON anywhere comes first
   */
  public RankRequest parse(byte[] json) {
    return new RankRequest(bundle.plan(), bundle.reader().read(json));
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
    if (request.plan() != bundle.plan() && !request.plan().schema().equals(schema())) {
      throw new IllegalArgumentException(
          "the request was made for a model with another schema; make it with this one");
    }
    if (request.candidates() > maxCandidates()) {
      throw Refusals.tooMany(maxCandidates());
    }
    try {
      ByteBuffer[] outputs = bundle.session().run(request.slate(), null);
      int columns = heads().size() + 1;
      for (int i = columns; i < outputs.length; i++) {
        bundle.plan().unseen().get(i - columns).check(outputs[i]);
      }
      return new Scores(request.candidates(), heads(), score(), Arrays.copyOf(outputs, columns));
    } catch (GraphFailure e) {
      throw new ScoringException(
          ErrorCode.SCORING_FAILED,
          "the runtime failed on a valid request of "
              + request.candidates()
              + " candidates: "
              + e.getMessage(),
          Optional.empty(),
          OptionalInt.empty(),
          e);
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
    Scores scores = score(request);
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
    return new Ranking(entries, dropped, scores);
  }

  /** Waits for running calls, then releases native memory. Idempotent. */
  @Override
  public void close() {
    bundle.session().close();
  }
}
