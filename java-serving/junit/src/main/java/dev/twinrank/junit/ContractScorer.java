package dev.twinrank.junit;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore;
import java.io.IOException;
import java.net.URI;

/**
 * The scorer under test, as its own callers reach it. Thread-safe: the test asks from several
 * threads at once, because a service does.
 *
 * @since 0.1
 */
@FunctionalInterface
public interface ContractScorer extends AutoCloseable {
  /**
   * Answers one request.
   *
   * @param request the request's bytes, as they come from the wire: JSON that may be malformed
   * @return a ranking or a refusal; a {@link dev.twinrank.core.ScoringException} that is thrown
   *     counts as the refusal that it is
   * @throws Exception for anything else, which fails the test
   */
  Answer score(byte[] request) throws Exception;

  /**
   * Gives back what the scorer holds; idempotent. Does nothing unless overridden.
   *
   * @throws IOException if that fails, which fails the test
   */
  @Override
  default void close() throws IOException {}

  /** Returns a model as a scorer, which closes it. */
  static ContractScorer of(Model model) {
    return new ContractScorer() {
      @Override
      public Answer score(byte[] request) {
        return Answer.of(model.rank(model.parse(request)));
      }

      @Override
      public void close() {
        model.close();
      }
    };
  }

  /**
   * Returns the active version of a store's model as a scorer, leased for each request. It does not
   * close the store.
   */
  static ContractScorer of(ModelStore store, String name) {
    return request -> {
      try (ModelStore.Lease lease = store.acquire(name)) {
        return Answer.of(lease.model().rank(lease.model().parse(request)));
      }
    };
  }

  /**
   * Returns a running ranking service as a scorer: {@code POST <service>/v1/models/<model>:rank}.
   *
   * @param service its base address: {@code http://127.0.0.1:8080}
   * @param model the model's name there
   */
  static ContractScorer of(URI service, String model) {
    return new ServiceScorer(service, model);
  }
}
