package dev.twinrank.benchmarks.ours;

import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import dev.twinrank.core.Model;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
import java.nio.file.Path;
import java.util.List;

/** Ours, row by row and by the names of features: typed values to the best ten. */
public final class BuiltRequest implements Contestant {
  private final Model model;
  private final Request.Names names;

  /** Opens the bundle; it must prove every bit. */
  public BuiltRequest(Path folder, Request.Names names) {
    this.names = names;
    model = Model.open(folder.resolve("1"));
  }

  @Override
  public Caller caller(Request[] requests) {
    return new RankingCaller() {
      @Override
      Ranking rank(int request) {
        return model.rank(build(requests[request]));
      }
    };
  }

  RankRequest build(Request request) {
    RankRequest.Builder builder = model.request().k(K);
    for (int i = 0; i < request.contextStrings().length; i++) {
      builder.context(names.contextStrings().get(i), request.contextStrings()[i]);
    }
    for (int i = 0; i < names.contextLists().size(); i++) {
      List<String> list = request.contextLists().get(i);
      builder.context(names.contextLists().get(i), list);
    }
    for (int i = 0; i < request.contextNumbers().length; i++) {
      builder.context(names.contextNumbers().get(i), request.contextNumbers()[i]);
    }
    for (int row = 0; row < request.n(); row++) {
      builder.candidate();
      for (int i = 0; i < request.strings().length; i++) {
        builder.set(names.strings().get(i), request.strings()[i][row]);
      }
      for (int i = 0; i < request.numbers().length; i++) {
        builder.set(names.numbers().get(i), request.numbers()[i][row]);
      }
    }
    return builder.build();
  }

  @Override
  public void close() {
    model.close();
  }
}
