package dev.twinrank.server.ops;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.ScoringListener;
import dev.twinrank.micrometer.ModelMetrics;
import dev.twinrank.server.flow.FlowStats;
import dev.twinrank.server.flow.Shed;
import dev.twinrank.server.life.Models;
import io.micrometer.core.instrument.Clock;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter.MeterProvider;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmInfoMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;

/**
 * What the server counts, in Prometheus' base units. Thread-safe.
 *
 * <p>Labels are bounded: model names are those that are served and {@value #NO_MODEL}, outcomes are
 * {@value #OK} and the contract's codes. Nothing that a client sends becomes a label.
 */
public final class Metrics implements AutoCloseable {
  /**
   * The label of requests that name no model that is served; a model's name cannot begin with a
   * dash.
   */
  public static final String NO_MODEL = "-";

  /** The outcome of a request that was ranked. */
  public static final String OK = "ok";

  /** Prometheus' text format. */
  public static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";

  /** OpenMetrics' text format. */
  public static final String OPEN_METRICS =
      "application/openmetrics-text; version=1.0.0; charset=utf-8";

  private static final double NANOS_A_SECOND = 1e9;
  private static final Duration[] SECONDS_BUCKETS = ModelMetrics.buckets();
  private static final double[] CANDIDATE_BUCKETS = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000
  };

  private final Exemplars exemplars = new Exemplars();
  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(
          PrometheusConfig.DEFAULT, new PrometheusRegistry(), Clock.SYSTEM, exemplars);
  private final ModelMetrics models = new ModelMetrics(registry);
  private final JvmGcMetrics gc = new JvmGcMetrics();
  private final MultiGauge bundles =
      MultiGauge.builder("rec.bundle.info")
          .description("Always 1; its labels say which bundle is served.")
          .register(registry);
  private final MultiGauge ages =
      MultiGauge.builder("rec.bundle.age")
          .description("How long this server has served the bundle.")
          .baseUnit("seconds")
          .register(registry);
  private final Map<Model, Served> bound = new HashMap<>();
  private final List<ExchangeListener> listeners = new CopyOnWriteArrayList<>();
  private Optional<RequestLog> requestLog = Optional.empty();
  private volatile double sampling;
  private Optional<Spans> spans = Optional.empty();
  private volatile double recording;
  private volatile Models served = Models.NONE;
  private final MeterProvider<Counter> requests;
  private final MeterProvider<Timer> seconds;
  private final MeterProvider<Timer> queue;
  private final MeterProvider<DistributionSummary> candidates;

  /** A bundle that is published, and since when. */
  private record Served(ModelMetrics.Binding binding, long since) {
    double seconds() {
      return (System.nanoTime() - since) / NANOS_A_SECOND;
    }
  }

  public Metrics() {
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
    queue =
        Timer.builder("rec.queue")
            .description("How long requests waited for a scoring thread.")
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
    new JvmInfoMetrics().bindTo(registry);
    Host.bindTo(registry);
  }

  /** Returns who times the stages of requests. */
  public ScoringListener listener() {
    return event -> {
      models.onRequest(event);
      Exchange.current().ifPresent(exchange -> exchange.scored(event));
    };
  }

  /** Publishes which bundles are active, and what they count: each scrape those of that moment. */
  public void serving(Models models) {
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
    bound
        .entrySet()
        .removeIf(
            each -> !active.contains(each.getKey()) && unbind(each.getKey(), each.getValue()));
    active.forEach(
        model ->
            bound.computeIfAbsent(
                model, fresh -> new Served(models.bind(fresh), System.nanoTime())));
    List<MultiGauge.Row<?>> since = new ArrayList<>();
    bound.forEach(
        (model, each) -> since.add(MultiGauge.Row.of(tags(model), each, Served::seconds)));
    ages.register(since, true);
    bundles.register(rows, true);
  }

  private boolean unbind(Model model, Served served) {
    served.binding().close();
    registry.remove(writing(tags(model)));
    return true;
  }

  private static Tags tags(Model model) {
    return Tags.of(
        "model",
        model.name(),
        "version",
        model.version().isPresent() ? Long.toString(model.version().getAsLong()) : NO_MODEL);
  }

  /** The stage that is the service's own, beside those that {@link ModelMetrics} times. */
  private Timer writing(Tags model) {
    return Timer.builder("rec.stage")
        .description("How long requests were in each stage of scoring.")
        .tags(model)
        .tag("stage", "write")
        .serviceLevelObjectives(SECONDS_BUCKETS)
        .register(registry);
  }

  /** Counts the time that an answer took to be written. */
  void written(Model model, long nanos) {
    writing(tags(model)).record(Duration.ofNanos(nanos));
  }

  /**
   * Begins the request log.
   *
   * @throws IOException if its folder cannot be made
   */
  public synchronized void log(OpsSettings.Requests settings) throws IOException {
    requestLog = Optional.of(new RequestLog(settings.folder(), settings.maxBytes(), registry));
    listeners.add(requestLog.get());
    sampling = settings.sample();
  }

  /** Begins to send spans. */
  public synchronized void trace(OpsSettings.Traces settings, String version) {
    spans = Optional.of(new Spans(settings.endpoint(), version));
    listeners.add(spans.get());
    recording = settings.sample();
  }

  /** Returns the share of the traces that begin here which are recorded. */
  double recording() {
    return recording;
  }

  /** Returns the share of the requests that are to be in the request log. */
  double sampling() {
    return sampling;
  }

  /** Publishes how much waits and runs, and what was turned away: each scrape that moment's. */
  public void flow(Supplier<FlowStats> stats) {
    lane("small", () -> stats.get().small());
    lane("large", () -> stats.get().large());
    for (Shed why : Shed.values()) {
      FunctionCounter.builder("rec.shed", stats, each -> each.get().shed().get(why))
          .description("Requests turned away before any model ran.")
          .tag("reason", why.label())
          .register(registry);
    }
  }

  private void lane(String lane, Supplier<FlowStats.Lane> stats) {
    gauge("rec.limit", lane, "How many requests may run and wait.", () -> stats.get().limit());
    gauge("rec.inflight", lane, "Requests that run.", () -> stats.get().running());
    gauge("rec.queued", lane, "Requests that wait for a thread.", () -> stats.get().queued());
    gauge("rec.queued.rows", lane, "Their candidates.", () -> stats.get().queuedRows());
    gauge(
        "rec.queue.age.seconds",
        lane,
        "How long the first of them has waited.",
        () -> stats.get().oldestNanos() / NANOS_A_SECOND);
    gauge(
        "rec.overloaded",
        lane,
        "1 while more comes than the threads can do.",
        () -> stats.get().overloaded() ? 1 : 0);
  }

  private void gauge(String name, String lane, String meaning, Supplier<Number> value) {
    Gauge.builder(name, value).description(meaning).tag("lane", lane).register(registry);
  }

  /** Lets somebody hear of every request, beside the counters. */
  public void listen(ExchangeListener listener) {
    listeners.add(listener);
  }

  /** Counts a request that was refused for want of a token, before anything was read of it. */
  public void unauthorized(String listener) {
    Counter.builder("rec.unauthorized")
        .description("Requests answered 401 because they brought no token of the listener.")
        .tag("listener", listener)
        .register(registry)
        .increment();
  }

  /**
   * Returns who counts every HTTP request.
   *
   * @param paths of what is served beside the ranking API, the Open Inference Protocol over HTTP
   *     and administration
   */
  public HttpMetrics http(Set<String> paths) {
    return new HttpMetrics(registry, SECONDS_BUCKETS, paths);
  }

  /** Counts an answer. */
  void finished(Exchange exchange, String outcome, long nanos) {
    String model = exchange.model();
    String protocol = exchange.protocol().label();
    exemplars.during(
        exchange.trace(),
        () -> {
          requests
              .withTags(Tags.of("model", model, "outcome", outcome, "protocol", protocol))
              .increment();
          seconds
              .withTags(Tags.of("model", model, "protocol", protocol))
              .record(Duration.ofNanos(nanos));
        });
    exchange
        .queuedNanos()
        .ifPresent(
            waited -> queue.withTags(Tags.of("model", model)).record(Duration.ofNanos(waited)));
    listeners.forEach(each -> each.finished(exchange, outcome, nanos));
  }

  /** Counts the candidates of a request that was ranked. */
  public void ranked(String model, int slate) {
    candidates.withTags(Tags.of("model", model)).record(slate);
  }

  /** Counts an attempt to load a version, by its result: ok or the code of what is wrong. */
  public void loaded(String result) {
    Counter.builder("rec.bundle.load")
        .description("Attempts to load or activate a version: ok or the error's code.")
        .tag("result", result)
        .register(registry)
        .increment();
  }

  /** Returns everything in Prometheus' text format. */
  public String scrape() {
    return scrape(TEXT);
  }

  /**
   * Returns everything in the format that a scraper wants.
   *
   * @param type {@link #TEXT} or {@link #OPEN_METRICS}, whose samples name recorded traces too
   */
  public String scrape(String type) {
    refresh();
    return registry.scrape(type);
  }

  @Override
  public synchronized void close() {
    requestLog.ifPresent(RequestLog::close);
    spans.ifPresent(Spans::close);
    gc.close();
    registry.close();
  }
}
