package dev.twinrank.core;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * What a verification found, golden by golden. Immutable and thread-safe.
 *
 * @param bundle the directory of the bundle
 * @param digest the bundle's digest; empty if the manifest could not be read
 * @param verification what was proved; empty if nothing was
 * @param engine what scored the goldens; empty if it did not come to that
 * @param phases the phases that were reached, in order, the last of them perhaps unfinished
 * @param goldens every golden that was replayed, in order
 * @param problems everything that is wrong, in the order of {@link BundleException#problems}
 * @since 0.1
 */
public record VerificationReport(
    Path bundle,
    Optional<String> digest,
    Optional<Verification> verification,
    Optional<ModelEngine> engine,
    List<Phase> phases,
    List<Golden> goldens,
    List<Problem> problems) {

  /**
   * A phase and how long it took. Immutable and thread-safe.
   *
   * @param name the contract's word, for example {@code digests}; or {@code warm-up}
   * @param duration elapsed time
   * @since 0.1
   */
  public record Phase(String name, Duration duration) {
    /** Refuses nulls. */
    public Phase {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(duration, "duration");
    }
  }

  /**
   * One golden that was replayed. Immutable and thread-safe.
   *
   * @param line its line in {@code goldens/rankings.jsonl}, from 1
   * @param candidates how many candidates it stores; 0 for a refusal
   * @param detail what differs from what is stored; empty if it passed
   * @param differences the heads that gave other bits, in order, the score last; on another host
   *     class a golden passes with differences that are within the bundle's tolerance
   * @param duration elapsed time
   * @since 0.1
   */
  public record Golden(
      int line,
      int candidates,
      Optional<String> detail,
      List<Difference> differences,
      Duration duration) {
    /** Copies what is given. */
    public Golden {
      Objects.requireNonNull(detail, "detail");
      differences = List.copyOf(differences);
      Objects.requireNonNull(duration, "duration");
    }

    /** Returns whether it gave what it stores. */
    public boolean passed() {
      return detail.isEmpty();
    }
  }

  /**
   * How one head departs from what a golden stores. Immutable and thread-safe.
   *
   * @param head the name of the head, or of the score
   * @param differing how many candidates have other bits
   * @param maxAbs the largest absolute difference; NaN if a value is NaN on one side only
   * @since 0.1
   */
  public record Difference(String head, int differing, double maxAbs) {
    /** Refuses nulls. */
    public Difference {
      Objects.requireNonNull(head, "head");
    }
  }

  /** Copies what is given. */
  public VerificationReport {
    Objects.requireNonNull(bundle, "bundle");
    Objects.requireNonNull(digest, "digest");
    Objects.requireNonNull(verification, "verification");
    Objects.requireNonNull(engine, "engine");
    phases = List.copyOf(phases);
    goldens = List.copyOf(goldens);
    problems = List.copyOf(problems);
  }

  /** Returns whether everything was proved that was asked. */
  public boolean passed() {
    return problems.isEmpty();
  }

  /** Returns all of it as a table of text, some lines long, which ends with a line end. */
  @Override
  public String toString() {
    return ReportText.of(this);
  }
}
