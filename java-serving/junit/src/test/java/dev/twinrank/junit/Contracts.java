package dev.twinrank.junit;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.junit.Answer.Ranked;
import dev.twinrank.junit.Answer.Refused;
import dev.twinrank.junit.Answer.Row;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/** Contract tests as teams would write them, each around another scorer; the engine runs them. */
final class Contracts {
  static final Path TINY =
      Path.of(System.getProperty("basedir", ""), "../../tests/contract/vectors/bundles/tiny/1");

  // The fixture was made on no host in particular; it computes the same bits on every one.
  static final ModelOptions OPTIONS = new ModelOptions(Require.REFERENCE);

  private Contracts() {}

  abstract static class OfTiny extends ScorerContractTest {
    @Override
    protected Path bundle() {
      return TINY;
    }

    @Override
    protected ModelOptions options() {
      return OPTIONS;
    }

    @Override
    protected ContractScorer open(Path bundle) {
      ContractScorer honest = ContractScorer.of(Model.open(bundle, options()));
      ContractScorer changed = around(honest);
      return new ContractScorer() {
        @Override
        public Answer score(byte[] request) throws Exception {
          return changed.score(request);
        }

        @Override
        public void close() throws java.io.IOException {
          honest.close();
        }
      };
    }

    ContractScorer around(ContractScorer honest) {
      return honest;
    }
  }

  static final class Honest extends OfTiny {
    @Override
    protected List<Path> requests() {
      return List.of(TINY.resolve("goldens/requests.jsonl"));
    }
  }

  /** Changes rankings; refusals pass through. */
  abstract static class Changing extends OfTiny {
    @Override
    final ContractScorer around(ContractScorer honest) {
      return request ->
          honest.score(request) instanceof Ranked ranked ? changed(ranked) : honest.score(request);
    }

    abstract Ranked changed(Ranked honest);
  }

  static final class TiesReversed extends Changing {
    @Override
    Ranked changed(Ranked honest) {
      List<Row> ranking = new ArrayList<>(honest.ranking());
      for (int from = 0; from < ranking.size(); ) {
        int to = from;
        while (to < ranking.size() && ranking.get(to).score() == ranking.get(from).score()) {
          to++;
        }
        Collections.reverse(ranking.subList(from, to));
        from = to;
      }
      return new Ranked(honest.candidates(), ranking, honest.dropped());
    }
  }

  static final class Rounded extends Changing {
    @Override
    Ranked changed(Ranked honest) {
      return each(honest, value -> Math.rint(value * 100) / 100);
    }
  }

  static final class NanForgotten extends Changing {
    @Override
    Ranked changed(Ranked honest) {
      return new Ranked(honest.candidates(), honest.ranking(), List.of());
    }
  }

  static final class OneIsSpecial extends Changing {
    @Override
    Ranked changed(Ranked honest) {
      return honest.candidates() == 1
          ? each(honest, value -> (double) Math.nextUp((float) (double) value))
          : honest;
    }
  }

  static final class CutTooEarly extends Changing {
    @Override
    Ranked changed(Ranked honest) {
      int shown = honest.ranking().size();
      boolean cut = shown > 0 && shown + honest.dropped().size() < honest.candidates();
      return new Ranked(
          honest.candidates(),
          honest.ranking().subList(0, cut ? shown - 1 : shown),
          honest.dropped());
    }
  }

  static final class HeadsSwapped extends Changing {
    @Override
    Ranked changed(Ranked honest) {
      return new Ranked(honest.candidates(), swapped(honest.ranking()), swapped(honest.dropped()));
    }

    private static List<Row> swapped(List<Row> rows) {
      return rows.stream()
          .map(
              row -> {
                Map<String, Double> heads = new LinkedHashMap<>(row.heads());
                heads.put("watched", row.heads().get("risky"));
                heads.put("risky", row.heads().get("watched"));
                return new Row(row.index(), row.score(), heads);
              })
          .toList();
    }
  }

  static final class LowerCased extends OfTiny {
    private static final Pattern TEXT = Pattern.compile("\"(?!NaN\"|-?Infinity\")[^\"\\\\]*\"");

    @Override
    ContractScorer around(ContractScorer honest) {
      return request -> {
        String text = new String(request, StandardCharsets.UTF_8);
        boolean sound = Arrays.equals(text.getBytes(StandardCharsets.UTF_8), request);
        String lower =
            TEXT.matcher(text)
                .replaceAll(
                    found ->
                        java.util.regex.Matcher.quoteReplacement(
                            found.group().toLowerCase(java.util.Locale.ROOT)));
        return honest.score(sound ? lower.getBytes(StandardCharsets.UTF_8) : request);
      };
    }
  }

  static final class Leaking extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      AtomicInteger asked = new AtomicInteger();
      return request -> {
        // What an earlier request left behind shows only once every golden was asked in order.
        Answer answer = honest.score(request);
        return asked.incrementAndGet() > 30 && answer instanceof Ranked ranked
            ? each(ranked, value -> (double) Math.nextUp((float) (double) value))
            : answer;
      };
    }
  }

  /** The first of several callers finds in the buffer what another one asked meanwhile. */
  static final class Shared extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      AtomicReference<byte[]> buffer = new AtomicReference<>();
      CompletableFuture<byte[]> overwritten = new CompletableFuture<>();
      return request -> {
        if (!Thread.currentThread().getName().startsWith("pool-")) {
          return honest.score(request);
        }
        if (buffer.compareAndSet(null, request)) {
          return honest.score(overwritten.get(30, TimeUnit.SECONDS));
        }
        // Two of the goldens have one answer: swapping those would show nothing.
        if (!overwritten.isDone() && !said(honest, request).equals(said(honest, buffer.get()))) {
          overwritten.complete(request);
        }
        return honest.score(request);
      };
    }

    private static Answer said(ContractScorer honest, byte[] request) throws Exception {
      try {
        return honest.score(request);
      } catch (dev.twinrank.core.ScoringException e) {
        return Answer.of(e);
      }
    }
  }

  static final class WrongCode extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      return request -> {
        try {
          return honest.score(request);
        } catch (dev.twinrank.core.ScoringException e) {
          return new Refused("invalid_request", e.feature(), e.candidate());
        }
      };
    }
  }

  static final class WrongCandidate extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      return request -> {
        try {
          return honest.score(request);
        } catch (dev.twinrank.core.ScoringException e) {
          return new Refused(e.code().code(), e.feature(), java.util.OptionalInt.of(12345));
        }
      };
    }
  }

  static final class Throwing extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      return request -> {
        try {
          return honest.score(request);
        } catch (dev.twinrank.core.ScoringException e) {
          throw new IllegalArgumentException("planted", e);
        }
      };
    }
  }

  static final class Silent extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      return request -> null;
    }
  }

  /** Writes into the request that it was given; its answers are right. */
  static final class Scribbling extends OfTiny {
    @Override
    ContractScorer around(ContractScorer honest) {
      return request -> {
        try {
          return honest.score(request);
        } finally {
          Arrays.fill(request, (byte) 'x');
        }
      };
    }
  }

  static final class OnlyTheFirstIsLeft extends OfTiny {
    private Model only;

    @Override
    protected ContractScorer open(Path bundle) {
      only = only == null ? Model.open(bundle, options()) : only;
      return ContractScorer.of(only);
    }
  }

  static Ranked each(Ranked honest, UnaryOperator<Double> change) {
    return new Ranked(
        honest.candidates(), rows(honest.ranking(), change), rows(honest.dropped(), change));
  }

  private static List<Row> rows(List<Row> rows, UnaryOperator<Double> change) {
    return rows.stream()
        .map(
            row -> {
              Map<String, Double> heads = new LinkedHashMap<>(row.heads());
              heads.replaceAll((name, value) -> change.apply(value));
              return new Row(row.index(), change.apply(row.score()), heads);
            })
        .toList();
  }
}
