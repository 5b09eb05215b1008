package dev.twinrank.server.oip;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Lease;
import java.util.List;

/**
 * What a served version says of itself, whatever asks. Immutable and thread-safe.
 *
 * @param name the model's name
 * @param version the version
 * @param bundle the digest of its bundle
 * @param verification how the bundle proved itself: {@code verified-bits} and so on
 * @param maxCandidates how many candidates one request may have
 * @param inputs a feature each, and what lists and missing values need beside it
 * @param outputs the heads, the score, and what is made of it
 */
public record ModelCard(
    String name,
    long version,
    String bundle,
    String verification,
    int maxCandidates,
    List<TensorCard> inputs,
    List<TensorCard> outputs) {
  /** What runs the models, as metadata and configuration name it. */
  public static final String PLATFORM = "twinrank_bundle";

  /** Copies the lists. */
  public ModelCard {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }

  static ModelCard of(Signature signature, Lease lease) {
    Model model = lease.model();
    return new ModelCard(
        model.name(),
        lease.version(),
        model.digest(),
        model.verification().state().label(),
        model.maxCandidates(),
        signature.inputCards(),
        signature.outputCards());
  }
}
