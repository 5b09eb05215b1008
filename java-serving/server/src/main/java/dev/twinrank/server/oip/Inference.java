package dev.twinrank.server.oip;

import dev.twinrank.core.Cancellation;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Slate;
import dev.twinrank.server.ops.Exchange;
import java.util.function.Supplier;

/**
 * Answers requests for inference, whatever they came by: binds tensors to a model's features,
 * scores, and gives the result as tensors. Thread-safe.
 */
public final class Inference {
  private final Signatures signatures = new Signatures();
  private final InferenceStatistics statistics = new InferenceStatistics();

  /**
   * Answers a request, on a scoring thread.
   *
   * @param exchange hears how many candidates were scored
   * @param lease the version that answers
   * @param cancellation what ends it
   * @param read gives the request; its time counts as that of the input
   * @throws dev.twinrank.server.problem.Refusal if the request is refused because of its form
   * @throws dev.twinrank.core.ScoringException if it is refused because of its values
   */
  public InferResponse infer(
      Exchange exchange, Lease lease, Cancellation cancellation, Supplier<InferRequest> read) {
    Model model = lease.model();
    try (InferenceStatistics.Run run = statistics.begin(exchange, lease)) {
      InferRequest request = read.get();
      Signature signature = signatures.of(model);
      Parameters parameters = Parameters.of(request.parameters());
      parameters
          .timeout()
          .map(time -> time.minusNanos(System.nanoTime() - exchange.arrived()))
          .ifPresent(cancellation::limit);
      Wanted wanted = Wanted.of(signature, request.outputs());
      Binding binding = new Binding(signature, request.inputs(), parameters.candidates());
      Ranking ranking;
      try (Slate slate = model.slate(binding.candidates())) {
        binding.write(slate);
        run.bound();
        ranking = model.rank(slate, parameters.k().orElse(binding.candidates()), cancellation);
        run.scored(binding.candidates());
      }
      exchange.keep(() -> binding.raw(parameters.k()), model, ranking);
      InferResponse response =
          exchange.write(
              model,
              () ->
                  new InferResponse(
                      model.name(),
                      lease.version(),
                      model.digest(),
                      request.id(),
                      wanted.tensors(model, ranking)));
      run.answered();
      exchange.scored(lease, binding.candidates());
      return response;
    }
  }

  /** Returns what a version says of itself. */
  public ModelCard card(Lease lease) {
    return ModelCard.of(signatures.of(lease.model()), lease);
  }

  /** Returns what was counted. */
  public InferenceStatistics statistics() {
    return statistics;
  }
}
