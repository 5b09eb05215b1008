package dev.twinrank.micrometer;

import dev.twinrank.core.Model;
import dev.twinrank.core.ScoringListener;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Publishes models in a Micrometer registry: how long their requests were in each stage, and what
 * {@link Model#statistics} counts. Thread-safe.
 *
 * <pre>{@code
 * ModelMetrics metrics = new ModelMetrics(registry);
 * Model model = Model.open(bundle, ModelOptions.builder().listener(metrics).build());
 * ModelMetrics.Binding binding = metrics.bind(model);
 * // ... and when the model is closed:
 * binding.close();
 * }</pre>
 *
 * <p>All meters have the tags {@code model} and {@code version} ({@code -} where the directory has
 * none). Tags are bounded by the schema and the contract: nothing that a request holds becomes one.
 * As Prometheus names them:
 *
 * <ul>
 *   <li>{@code rec_stage_seconds{stage}}: a histogram from 100 µs; stages are {@code keys}, {@code
 *       pack}, {@code run} and {@code order}, and {@link ScoringListener.Event} says what is timed
 *   <li>{@code rec_model_requests_total{outcome}}: {@code ok}, or the code of the refusal
 *   <li>{@code rec_model_candidates_total}: candidates of the answered requests
 *   <li>{@code rec_feature_missing_total{feature}}, {@code rec_feature_invalid_total{feature}}:
 *       values that the feature's policy absorbed
 *   <li>{@code rec_feature_unseen_total{feature}}: only of features of which the graph tells
 *   <li>{@code rec_feature_refused_total{feature}}: requests refused because of the feature
 *   <li>{@code rec_score_nonfinite_total{head,value}}: {@code value} is {@code nan} or {@code
 *       infinite}
 *   <li>{@code rec_listener_failures_total}
 * </ul>
 *
 * @since 0.1
 */
public final class ModelMetrics implements ScoringListener {
  private static final String NO_VERSION = "-";
  private static final Duration[] BUCKETS = {
    Duration.ofNanos(100_000),
    Duration.ofNanos(250_000),
    Duration.ofNanos(500_000),
    Duration.ofMillis(1),
    Duration.ofNanos(2_500_000),
    Duration.ofMillis(5),
    Duration.ofMillis(10),
    Duration.ofMillis(25),
    Duration.ofMillis(50),
    Duration.ofMillis(100),
    Duration.ofMillis(250),
    Duration.ofMillis(500),
    Duration.ofSeconds(1),
    Duration.ofMillis(2_500),
    Duration.ofSeconds(5),
    Duration.ofSeconds(10)
  };

  private final MeterRegistry registry;
  private final Map<Identity, StageTimers> timers = new ConcurrentHashMap<>();

  /** What the meters of one model have in common. */
  private record Identity(String model, OptionalLong version) {
    Tags tags() {
      return Tags.of(
          "model",
          model,
          "version",
          version.isPresent() ? Long.toString(version.getAsLong()) : NO_VERSION);
    }
  }

  private record StageTimers(Timer keys, Timer pack, Timer run, Timer order) {}

  /** Returns the upper bounds of this project's histograms of durations, from 100 µs to 10 s. */
  public static Duration[] buckets() {
    return BUCKETS.clone();
  }

  /** Publishes in a registry. */
  public ModelMetrics(MeterRegistry registry) {
    this.registry = Objects.requireNonNull(registry, "registry");
  }

  /**
   * Publishes what a model counts, until the binding is closed. The model must have this as a
   * listener for its stages to be published too.
   *
   * <p>A model of the same name and version that is bound already must be unbound first: Micrometer
   * keeps the meter that it has, and would never show the new one's counts.
   */
  public Binding bind(Model model) {
    Identity identity = new Identity(model.name(), model.version());
    return new Binding(
        this, identity, new StatisticsMeters(model::statistics, registry, identity.tags()));
  }

  @Override
  public void onRequest(Event event) {
    StageTimers of =
        timers.computeIfAbsent(new Identity(event.model(), event.version()), this::timers);
    record(of.keys(), event.keysNanos());
    record(of.pack(), event.packNanos());
    record(of.run(), event.runNanos());
    record(of.order(), event.orderNanos());
  }

  private static void record(Timer timer, long nanos) {
    if (nanos >= 0) {
      timer.record(nanos, TimeUnit.NANOSECONDS);
    }
  }

  private StageTimers timers(Identity identity) {
    return new StageTimers(
        timer(identity, "keys"),
        timer(identity, "pack"),
        timer(identity, "run"),
        timer(identity, "order"));
  }

  private Timer timer(Identity identity, String stage) {
    return Timer.builder("rec.stage")
        .description("How long requests were in each stage of scoring.")
        .tags(identity.tags())
        .tag("stage", stage)
        .serviceLevelObjectives(BUCKETS)
        .register(registry);
  }

  private void forget(Identity identity) {
    StageTimers gone = timers.remove(identity);
    if (gone != null) {
      registry.remove(gone.keys());
      registry.remove(gone.pack());
      registry.remove(gone.run());
      registry.remove(gone.order());
    }
  }

  /**
   * A model that is published. Thread-safe.
   *
   * @since 0.1
   */
  public static final class Binding implements AutoCloseable {
    private final ModelMetrics metrics;
    private final Identity identity;
    private final StatisticsMeters meters;

    private Binding(ModelMetrics metrics, Identity identity, StatisticsMeters meters) {
      this.metrics = metrics;
      this.identity = identity;
      this.meters = meters;
    }

    /** Takes the model's meters out of the registry. Idempotent. */
    @Override
    public void close() {
      meters.remove();
      metrics.forget(identity);
    }
  }
}
