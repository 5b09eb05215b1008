package dev.twinrank.micrometer;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Statistics;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;

/** The counters of one model's statistics. Thread-safe. */
final class StatisticsMeters {
  /**
   * A snapshot serves all counters of one scrape: hundreds of them, each of which asks for its own
   * value, would otherwise take hundreds of snapshots.
   */
  private static final long FRESH_NANOS = 10_000_000;

  private final Supplier<Statistics> source;
  private final MeterRegistry registry;
  private final Tags tags;
  private final List<Meter> meters = new ArrayList<>();
  private Statistics snapshot;
  private long taken;

  StatisticsMeters(Supplier<Statistics> source, MeterRegistry registry, Tags tags) {
    this.source = source;
    this.registry = registry;
    this.tags = tags;
    Statistics first = fresh();
    requests();
    features(first);
    outputs(first);
    add(
        "rec.listener.failures",
        "How often a listener of the model threw.",
        Tags.empty(),
        Statistics::listenerFailures);
  }

  private void requests() {
    String name = "rec.model.requests";
    String description = "Requests that the model answered (ok) or refused, by code.";
    add(name, description, Tags.of("outcome", "ok"), Statistics::answered);
    for (ErrorCode code : ErrorCode.values()) {
      if (code.family() == ErrorCode.Family.SCORING) {
        add(
            name,
            description,
            Tags.of("outcome", code.code()),
            statistics -> statistics.refusals().getOrDefault(code, 0L));
      }
    }
    add(
        "rec.model.candidates",
        "Candidates of the requests that the model answered.",
        Tags.empty(),
        Statistics::candidates);
  }

  private void features(Statistics first) {
    for (int i = 0; i < first.features().size(); i++) {
      int index = i;
      Tags feature = Tags.of("feature", first.features().get(i).feature().name());
      add(
          "rec.feature.missing",
          "Values absent or null that the feature's policy absorbed.",
          feature,
          statistics -> statistics.features().get(index).missing());
      add(
          "rec.feature.invalid",
          "Values that did not fit and that the feature's policy absorbed.",
          feature,
          statistics -> statistics.features().get(index).invalid());
      add(
          "rec.feature.refused",
          "Requests that were refused because of the feature.",
          feature,
          statistics ->
              statistics.features().get(index).refused().values().stream()
                  .mapToLong(Long::longValue)
                  .sum());
      if (first.features().get(i).unseen().isPresent()) {
        add(
            "rec.feature.unseen",
            "Values that the model's vocabulary does not hold.",
            feature,
            statistics -> statistics.features().get(index).unseen().orElse(0));
      }
    }
  }

  private void outputs(Statistics first) {
    for (int i = 0; i < first.outputs().size(); i++) {
      int index = i;
      String name = "rec.score.nonfinite";
      String description = "Values of a head, or of the score, that are no finite numbers.";
      Tags head = Tags.of("head", first.outputs().get(i).output().name());
      add(
          name,
          description,
          head.and("value", "nan"),
          statistics -> statistics.outputs().get(index).nan());
      add(
          name,
          description,
          head.and("value", "infinite"),
          statistics -> statistics.outputs().get(index).infinite());
    }
  }

  private void add(String name, String description, Tags more, ToLongFunction<Statistics> value) {
    // The registry refers to this weakly, and the function, which it holds, refers to it strongly.
    meters.add(
        FunctionCounter.builder(name, this, ignored -> value.applyAsLong(fresh()))
            .description(description)
            .tags(tags.and(more))
            .register(registry));
  }

  private synchronized Statistics fresh() {
    long now = System.nanoTime();
    if (snapshot == null || now - taken > FRESH_NANOS) {
      snapshot = source.get();
      taken = now;
    }
    return snapshot;
  }

  /** Takes every counter out of the registry. */
  void remove() {
    meters.forEach(registry::remove);
  }
}
