package dev.twinrank.core;

import java.nio.file.Path;
import java.util.List;
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
  private Model() {}

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
   * @param options how much it must prove
   * @throws BundleException if the bundle is unusable; it carries every problem of the phase that
   *     failed
   */
  public static Model open(Path bundle, ModelOptions options) {
    throw new UnsupportedOperationException();
  }

  /** Returns the model's name, from the manifest. */
  public String name() {
    throw new UnsupportedOperationException();
  }

  /** Returns the version: the directory's name, if it is a positive decimal without zeros ahead. */
  public OptionalLong version() {
    throw new UnsupportedOperationException();
  }

  /** Returns the bundle's digest: {@code sha256:} and 64 lower-case hex digits. */
  public String digest() {
    throw new UnsupportedOperationException();
  }

  /** Returns the features, in order. */
  public Schema schema() {
    throw new UnsupportedOperationException();
  }

  /** Returns the heads, in order, without the score. */
  public List<Head> heads() {
    throw new UnsupportedOperationException();
  }

  /** Returns the output that orders the slate; its name is {@code score}. */
  public Head score() {
    throw new UnsupportedOperationException();
  }

  /** Returns how many candidates one request may have. */
  public int maxCandidates() {
    throw new UnsupportedOperationException();
  }

  /** Returns how the bundle proved itself on this host. */
  public Verification verification() {
    throw new UnsupportedOperationException();
  }

  /** Returns a builder of requests from typed values. */
  public RankRequest.Builder request() {
    throw new UnsupportedOperationException();
  }

  /**
   * Reads a request from JSON and packs it.
   *
   * @param json one JSON object in UTF-8, {@code {"context": {…}, "candidates": [{…}…], "k": 10}}
   * @throws ScoringException if the request is refused; the first problem in document order is the
   *     answer, but a departure from JSON anywhere comes first
   */
  public RankRequest parse(byte[] json) {
    throw new UnsupportedOperationException();
  }

  /**
   * Scores a slate. A slate of no candidates does not run the graph.
   *
   * @throws ScoringException {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Scores score(RankRequest request) {
    throw new UnsupportedOperationException();
  }

  /**
   * Scores and orders a slate.
   *
   * @throws ScoringException {@code scoring_failed} if the runtime fails
   * @throws IllegalArgumentException if the request was made for a model with another schema
   * @throws IllegalStateException if this model is closed
   */
  public Ranking rank(RankRequest request) {
    throw new UnsupportedOperationException();
  }

  /** Waits for running calls, then releases native memory. Idempotent. */
  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }
}
