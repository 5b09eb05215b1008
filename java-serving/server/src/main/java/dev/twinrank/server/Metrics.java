package dev.twinrank.server;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.ScoringListener;
import dev.twinrank.micrometer.ModelMetrics;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Meter.MeterProvider;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;

/**
 * What the server counts, in Prometheus' base units. Thread-safe.
 *
 * <p>Labels are bounded: model names are those that are served and {@value #NO_MODEL}, outcomes are
 * {@value #OK} and the contract's codes. Nothing that a client sends becomes a label.
 */
final class Metrics implements AutoCloseable {
  /**
   * The label of requests that name no model that is served; a model's name cannot begin with a
   * dash.
   */
  static final String NO_MODEL = "-";

  /** The outcome of a request that was ranked. */
  static final String OK = "ok";

  private static final Duration[] SECONDS_BUCKETS = ModelMetrics.buckets();
  private static final double[] CANDIDATE_BUCKETS = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000
  };

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final ModelMetrics models = new ModelMetrics(registry);
  private final JvmGcMetrics gc = new JvmGcMetrics();
  private final MultiGauge bundles =
      MultiGauge.builder("rec.bundle.info")
          .description("Always 1; its labels say which bundle is served.")
          .register(registry);
  private final Map<Model, ModelMetrics.Binding> bound = new HashMap<>();
  private volatile Models served = Models.NONE;
  private final MeterProvider<Counter> requests;
  private final MeterProvider<Timer> seconds;
  private final MeterProvider<DistributionSummary> candidates;

  Metrics() {
    requests =
        Counter.builder("rec.requests")
            .description("Ranking requests answered, by outcome: ok or the error's code.")
            .withRegistry(registry);
    seconds =
        Timer.builder("rec.request")
            .description(
                "From a ranking request's last byte received to its answer ready to be sent.")
            .serviceLevelObjectives(SECONDS_BUCKETS)
            .withRegistry(registry);
    candidates =
        DistributionSummary.builder("rec.candidates")
            .description("Candidates of the requests that were ranked.")
            .serviceLevelObjectives(CANDIDATE_BUCKETS)
            .withRegistry(registry);
    new JvmMemoryMetrics().bindTo(registry);
    gc.bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ClassLoaderMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
  }

  /** Returns who times the stages of requests. */
  ScoringListener listener() {
    return models;
  }

  /** Publishes which bundles are active, and what they count: each scrape those of that moment. */
  void serving(Models models) {
    served = models;
    refresh();
  }

  private synchronized void refresh() {
    List<MultiGauge.Row<?>> rows = new ArrayList<>();
    Set<Model> active = new HashSet<>();
    for (Entry entry : served.all()) {
      rows.add(
          MultiGauge.Row.of(
              Tags.of(
                  "model",
                  entry.name(),
                  "version",
                  Long.toString(entry.version()),
                  "bundle",
                  entry.digest()),
              1));
      try (Lease lease = served.lease(entry.name(), entry.version())) {
        active.add(lease.model());
      } catch (NoSuchElementException | IllegalStateException e) {
        // Replaced and unloaded a moment ago: the next scrape shows its successor.
      }
    }
    // First those that go: Micrometer keeps the meter that it has of one name and version.
    bound.entrySet().removeIf(each -> !active.contains(each.getKey()) && unbind(each.getValue()));
    active.forEach(model -> bound.computeIfAbsent(model, models::bind));
    bundles.register(rows, true);
  }

  private static boolean unbind(ModelMetrics.Binding binding) {
    binding.close();
    return true;
  }

  /** Counts an answer. */
  void answered(String model, String outcome, long nanos) {
    requests.withTags(Tags.of("model", model, "outcome", outcome)).increment();
    seconds.withTags(Tags.of("model", model)).record(Duration.ofNanos(nanos));
  }

  /** Counts the candidates of a request that was ranked. */
  void ranked(String model, int slate) {
    candidates.withTags(Tags.of("model", model)).record(slate);
  }

  /** Returns everything in Prometheus' text format. */
  String scrape() {
    refresh();
    return registry.scrape();
  }

  @Override
  public void close() {
    gc.close();
    registry.close();
  }
}
