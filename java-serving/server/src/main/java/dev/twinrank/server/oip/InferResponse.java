package dev.twinrank.server.oip;

import java.util.List;
import java.util.Optional;

/**
 * The answer to a request for inference. Immutable and thread-safe.
 *
 * @param model the model's name
 * @param version the version that answered
 * @param bundle the digest of the bundle that answered
 * @param id the request's
 * @param outputs those that were asked for, in the order in which they were; else all
 */
public record InferResponse(
    String model, long version, String bundle, Optional<String> id, List<Tensor> outputs) {
  /** Copies the outputs. */
  public InferResponse {
    outputs = List.copyOf(outputs);
  }
}
