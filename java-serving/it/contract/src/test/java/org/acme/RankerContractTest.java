package org.acme;

import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.junit.Answer;
import dev.twinrank.junit.ContractScorer;
import dev.twinrank.junit.ScorerContractTest;
import java.nio.file.Path;

/** All that this team writes: which bundle, and how its ranker is asked. */
class RankerContractTest extends ScorerContractTest {
  @Override
  protected Path bundle() {
    return Path.of(System.getProperty("bundle"));
  }

  @Override
  protected ContractScorer open(Path bundle) {
    Ranker ranker = new Ranker(bundle, options());
    return request -> Answer.of(ranker.rank(request));
  }

  /** Only because the contract's fixture was made on no host in particular. */
  @Override
  protected ModelOptions options() {
    return new ModelOptions(Require.REFERENCE);
  }
}
