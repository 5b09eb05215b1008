package dev.twinrank.junit;

import dev.twinrank.core.Head;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Scores;
import dev.twinrank.core.ScoringException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a scorer says to one request: a ranking, or a refusal. Immutable and thread-safe.
 *
 * @since 0.1
 */
public sealed interface Answer {

  /**
   * One candidate as the answer shows it.
   *
   * @param index its place in the request's {@code candidates}, from 0
   * @param score what orders the slate; NaN for one that is dropped. A float32 widened to a double
   *     keeps its value, and is compared by the bits that it came from
   * @param heads every head by name, widened alike
   * @since 0.1
   */
  record Row(int index, double score, Map<String, Double> heads) {
    /** Copies the heads. */
    public Row {
      heads = Collections.unmodifiableMap(new LinkedHashMap<>(heads));
    }
  }

  /**
   * A ranking.
   *
   * @param candidates how many candidates the request had
   * @param ranking the candidates that are shown, best first, cut by the request's {@code k}
   * @param dropped the candidates whose score is NaN, by index; {@code k} does not cut them
   * @since 0.1
   */
  record Ranked(int candidates, List<Row> ranking, List<Row> dropped) implements Answer {
    /** Copies both lists. */
    public Ranked {
      ranking = List.copyOf(ranking);
      dropped = List.copyOf(dropped);
    }
  }

  /**
   * A refusal.
   *
   * @param code the stable code: {@code missing_feature}
   * @param feature the feature that it names, if one
   * @param candidate the candidate that it names, if one
   * @since 0.1
   */
  record Refused(String code, Optional<String> feature, OptionalInt candidate) implements Answer {
    /** Refuses nulls. */
    public Refused {
      Objects.requireNonNull(code, "code");
      Objects.requireNonNull(feature, "feature");
      Objects.requireNonNull(candidate, "candidate");
    }
  }

  /** Returns what the core's ranking says. */
  static Answer of(Ranking ranking) {
    Scores scores = ranking.scores();
    return new Ranked(
        scores.candidates(),
        ranking.entries().stream().map(entry -> row(scores, entry.index())).toList(),
        ranking.dropped().stream().map(dropped -> row(scores, dropped.index())).toList());
  }

  /** Returns what the core's refusal says. */
  static Answer of(ScoringException refusal) {
    return new Refused(refusal.code().code(), refusal.feature(), refusal.candidate());
  }

  private static Row row(Scores scores, int candidate) {
    Map<String, Double> heads = new LinkedHashMap<>();
    List<Head> declared = scores.heads();
    for (int head = 0; head < declared.size(); head++) {
      heads.put(declared.get(head).name(), scores.value(head, candidate));
    }
    return new Row(candidate, scores.score(candidate), heads);
  }
}
