package org.acme;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.Ranking;
import java.nio.file.Path;

/** What this team's service asks. */
final class Ranker implements AutoCloseable {
  private final Model model;

  Ranker(Path bundle, ModelOptions options) {
    this.model = Model.open(bundle, options);
  }

  Ranking rank(byte[] json) {
    return model.rank(model.parse(json));
  }

  @Override
  public void close() {
    model.close();
  }
}
