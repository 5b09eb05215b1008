package dev.twinrank.benchmarks.ours;

import dev.twinrank.core.Model;
import java.nio.file.Path;

/** From nothing to ready. */
public final class Loading {
  private Loading() {}

  /** Opens a bundle with all its proofs, closes it, and returns how long the opening took. */
  public static long nanos(Path bundle) {
    long begin = System.nanoTime();
    Model model = Model.open(bundle);
    long nanos = System.nanoTime() - begin;
    model.close();
    return nanos;
  }
}
