package dev.twinrank.benchmarks.ours;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.core.Model;
import java.nio.file.Path;

/** From nothing to ready. */
public final class Loading {
  private Loading() {}

  /** Opens a bundle with all its proofs, closes it, and returns how long the opening took. */
  public static long nanos(JsonNode bundle) {
    long begin = System.nanoTime();
    Model model = Model.open(Path.of(bundle.textValue()));
    long nanos = System.nanoTime() - begin;
    model.close();
    return nanos;
  }
}
