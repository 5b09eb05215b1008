package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ModelEngine;
import dev.twinrank.core.Verification;
import dev.twinrank.core.VerificationReport;
import dev.twinrank.core.VerificationReport.Golden;
import dev.twinrank.core.VerificationReport.Phase;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a verification has reached, kept also when it ends with an exception. Not thread-safe.
 *
 * <p>The phases are those of section 10 of the contract; a warm-up comes after them.
 */
public final class Journal {
  static final String LAYOUT = "layout";
  static final String MANIFEST = "manifest";
  static final String DIGESTS = "digests";
  static final String SIGNATURE = "signature";
  static final String GRAPH = "graph";
  static final String SESSION = "session";
  static final String GOLDENS = "goldens";
  static final String WARM_UP = "warm-up";

  private final Path bundle;
  private final List<Phase> phases = new ArrayList<>();
  private final List<Golden> goldens = new ArrayList<>();
  private Optional<String> digest = Optional.empty();
  private Optional<ModelEngine> engine = Optional.empty();
  private String phase;
  private long since;

  /** Starts one for a bundle. */
  public Journal(Path bundle) {
    this.bundle = bundle;
  }

  /** Ends the phase that was begun last, and begins another. */
  void begin(String next) {
    end();
    phase = next;
    since = System.nanoTime();
  }

  /** Ends the phase that was begun last. */
  void end() {
    if (phase != null) {
      phases.add(new Phase(phase, Duration.ofNanos(System.nanoTime() - since)));
      phase = null;
    }
  }

  /** Notes which bundle it is. */
  void digest(String value) {
    digest = Optional.of(value);
  }

  /** Notes what scores the goldens. */
  void engine(ModelEngine value) {
    engine = Optional.of(value);
  }

  /** Notes a golden that was replayed. */
  void golden(Golden golden) {
    goldens.add(golden);
  }

  /** Returns the report of a verification that found nothing wrong. */
  public VerificationReport passed(Verification verification) {
    end();
    return new VerificationReport(
        bundle, digest, Optional.of(verification), engine, phases, goldens, List.of());
  }

  /** Returns the report of one that ended with an exception. */
  public VerificationReport failed(BundleException refusal) {
    end();
    return new VerificationReport(
        bundle, digest, Optional.empty(), engine, phases, goldens, refusal.problems());
  }
}
