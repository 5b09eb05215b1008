package dev.twinrank.server.oip;

import dev.twinrank.core.DType;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The outputs that a request wants. Immutable and thread-safe. */
final class Wanted {
  private final Map<String, Output> outputs;

  private Wanted(Map<String, Output> outputs) {
    this.outputs = outputs;
  }

  /**
   * Finds what a request names, in its order; everything if it names nothing.
   *
   * @throws Refusal {@code unknown_output}, or {@code invalid_request} for one that is named twice
   */
  static Wanted of(Signature signature, List<RequestedOutput> requested) {
    if (requested.isEmpty()) {
      return new Wanted(signature.outputs());
    }
    Map<String, Output> found = new LinkedHashMap<>();
    for (RequestedOutput each : requested) {
      Output output = signature.outputs().get(each.name());
      if (output == null) {
        throw new Refusal(
            Problem.of(
                ServiceCode.UNKNOWN_OUTPUT,
                "no output %s; the outputs are %s"
                    .formatted(
                        OipProblems.quoted(each.name()),
                        String.join(", ", signature.outputs().keySet()))));
      }
      if (found.put(each.name(), output) != null) {
        throw OipProblems.request("output '%s' is requested twice".formatted(each.name()));
      }
    }
    return new Wanted(found);
  }

  /** Makes the tensors. */
  List<Tensor> tensors(Model model, Ranking ranking) {
    List<Tensor> tensors = new ArrayList<>(outputs.size());
    outputs.forEach(
        (name, output) -> {
          DType dtype =
              output.kind() == Output.Kind.HEAD
                  ? model.heads().get(output.head()).dtype()
                  : model.score().dtype();
          tensors.add(output.tensor(name, dtype, ranking));
        });
    return tensors;
  }
}
