package dev.twinrank.benchmarks.ours;

import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import dev.twinrank.core.Handle;
import dev.twinrank.core.Keys;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Schema;
import dev.twinrank.core.Slate;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Ours, column by column into memory that the model lends: typed values to the best ten. */
public final class SlateRun implements Contestant {
  private final Model model;
  private final boolean rank;
  private final boolean cached;
  private final Handle.OfString[] contextStrings;
  private final Handle.OfStrings[] contextLists;
  private final Handle.OfDouble[] contextNumbers;
  private final Handle.OfString[] strings;
  private final Handle.OfDouble[] numbers;

  private SlateRun(Path folder, Request.Names names, boolean rank, boolean cached) {
    this.rank = rank;
    this.cached = cached;
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
    return new SlateRun(folder, names, true, false);
  }

  /** Opens it for an application that keeps the keys of its candidates, a column each. */
  public static SlateRun rankingKeys(Path folder, Request.Names names) {
    return new SlateRun(folder, names, true, true);
  }

  /** Opens it to fill slates only: what packing costs alone. */
  public static SlateRun filling(Path folder, Request.Names names) {
    return new SlateRun(folder, names, false, false);
  }

  private static <H extends Handle> H[] handles(
      List<String> names, Function<String, H> find, H[] none) {
    return names.stream().map(find).toList().toArray(none);
  }

  @Override
  public Caller caller(Request[] requests) {
    long[][][] keys = cached ? keys(requests) : new long[requests.length][][];
    return new RankingCaller() {
      @Override
      Ranking rank(int request) {
        try (Slate slate = model.slate(requests[request].n())) {
          fill(slate, requests[request], keys[request]);
          return rank ? model.rank(slate, K) : null;
        }
      }
    };
  }

  private static long[][][] keys(Request[] requests) {
    long[][][] keys = new long[requests.length][][];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = new long[requests[i].strings().length][];
      for (int j = 0; j < keys[i].length; j++) {
        keys[i][j] = Arrays.stream(requests[i].strings()[j]).mapToLong(Keys::of).toArray();
      }
    }
    return keys;
  }

  private void fill(Slate slate, Request request, long[][] keys) {
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
      if (cached) {
        slate.keys(strings[i], keys[i]);
      } else {
        slate.column(strings[i], request.strings()[i]);
      }
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
