package dev.twinrank.benchmarks.ours;

import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import dev.twinrank.core.Handle;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Schema;
import dev.twinrank.core.Slate;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/** Ours, column by column into memory that the model lends: typed values to the best ten. */
public final class SlateRun implements Contestant {
  private final Model model;
  private final boolean rank;
  private final Handle.OfString[] contextStrings;
  private final Handle.OfStrings[] contextLists;
  private final Handle.OfDouble[] contextNumbers;
  private final Handle.OfString[] strings;
  private final Handle.OfDouble[] numbers;

  private SlateRun(Path folder, Request.Names names, boolean rank) {
    this.rank = rank;
    model = Model.open(folder.resolve("1"));
    Schema schema = model.schema();
    contextStrings = handles(names.contextStrings(), schema::string, new Handle.OfString[0]);
    contextLists = handles(names.contextLists(), schema::strings, new Handle.OfStrings[0]);
    contextNumbers = handles(names.contextNumbers(), schema::number, new Handle.OfDouble[0]);
    strings = handles(names.strings(), schema::string, new Handle.OfString[0]);
    numbers = handles(names.numbers(), schema::number, new Handle.OfDouble[0]);
  }

  /** Opens the bundle, which must prove every bit, to rank. */
  public static SlateRun ranking(Path folder, Request.Names names) {
    return new SlateRun(folder, names, true);
  }

  /** Opens it to fill slates only: what packing costs alone. */
  public static SlateRun filling(Path folder, Request.Names names) {
    return new SlateRun(folder, names, false);
  }

  private static <H extends Handle> H[] handles(
      List<String> names, Function<String, H> find, H[] none) {
    return names.stream().map(find).toList().toArray(none);
  }

  @Override
  public Caller caller(Request[] requests) {
    return new RankingCaller() {
      @Override
      Ranking rank(int request) {
        try (Slate slate = model.slate(requests[request].n())) {
          fill(slate, requests[request]);
          return rank ? model.rank(slate, K) : null;
        }
      }
    };
  }

  private void fill(Slate slate, Request request) {
    for (int i = 0; i < contextStrings.length; i++) {
      slate.set(contextStrings[i], request.contextStrings()[i]);
    }
    for (int i = 0; i < contextLists.length; i++) {
      slate.set(contextLists[i], request.contextLists().get(i));
    }
    for (int i = 0; i < contextNumbers.length; i++) {
      slate.set(contextNumbers[i], request.contextNumbers()[i]);
    }
    for (int i = 0; i < strings.length; i++) {
      slate.column(strings[i], request.strings()[i]);
    }
    for (int i = 0; i < numbers.length; i++) {
      slate.column(numbers[i], request.numbers()[i]);
    }
  }

  @Override
  public void close() {
    model.close();
  }
}
