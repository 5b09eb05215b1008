package dev.twinrank.server.oip;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A request for inference, whatever it came by. Immutable and thread-safe.
 *
 * @param id the client's, to be echoed; empty if it gave none
 * @param parameters strings, booleans, integers ({@link Long}) and floats ({@link Double})
 * @param inputs in the client's order
 * @param outputs what is wanted; empty for everything
 */
public record InferRequest(
    Optional<String> id,
    Map<String, Object> parameters,
    List<Tensor> inputs,
    List<RequestedOutput> outputs) {
  /** Copies the collections. */
  public InferRequest {
    parameters = Map.copyOf(parameters);
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }
}
