package dev.twinrank.junit;

import dev.twinrank.core.Model;
import dev.twinrank.core.ScoringException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The bundle's own model, which has just replayed the goldens to the bit: what is right. */
final class Reference implements AutoCloseable {
  private final Model model;
  private final Difference difference;

  Reference(Model model) {
    this.model = model;
    this.difference = new Difference(model.heads(), model.score());
  }

  Model model() {
    return model;
  }

  Difference difference() {
    return difference;
  }

  Answer answer(byte[] request) {
    try {
      return Answer.of(model.rank(model.parse(request)));
    } catch (ScoringException e) {
      return Answer.of(e);
    }
  }

  /** Returns those of the requests that are ranked and show a candidate. */
  List<Requests> ranked(List<byte[]> requests) {
    List<Requests> ranked = new ArrayList<>();
    for (byte[] request : requests) {
      if (answer(request) instanceof Answer.Ranked told && told.candidates() > 0) {
        ranked.add(Requests.of(request));
      }
    }
    return ranked;
  }

  /** Whether the exporter let pass that a score depends on its neighbours. */
  boolean variant() {
    return model.verification().allowed().stream()
        .anyMatch(allowed -> allowed.finding().equals("batch_variant"));
  }

  /**
   * Returns how a scorer's answer differs; what it throws is a difference too, unless it refuses.
   */
  Optional<String> difference(ContractScorer scorer, byte[] request) {
    return difference(scorer, request, answer(request));
  }

  Optional<String> difference(ContractScorer scorer, byte[] request, Answer expected) {
    Answer actual;
    try {
      actual = told(scorer, request);
    } catch (Exception e) {
      return Optional.of(
          "threw "
              + e
              + "\n  expected "
              + Difference.said(expected)
              + "\n  to do: answer every request, a bad one by the model's ScoringException\n"
              + request(request));
    }
    return difference.between(expected, actual).map(told -> told + "\n" + request(request));
  }

  private static Answer told(ContractScorer scorer, byte[] request) throws Exception {
    try {
      // A copy: a scorer that writes into what it was given must not change the question.
      Answer answer = scorer.score(request.clone());
      if (answer == null) {
        throw new IllegalStateException("the scorer answered null");
      }
      return answer;
    } catch (ScoringException e) {
      return Answer.of(e);
    }
  }

  private static String request(byte[] request) {
    return "  request: " + Requests.shown(request);
  }

  @Override
  public void close() {
    model.close();
  }
}
