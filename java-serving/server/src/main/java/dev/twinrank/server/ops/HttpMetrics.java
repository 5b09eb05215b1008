package dev.twinrank.server.ops;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.logging.RequestLog;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter.MeterProvider;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Every HTTP request of both listeners under the names that OpenTelemetry's semantic conventions
 * give them, so that dashboards of other services fit: {@code http.server.request.duration} in
 * seconds and {@code http.server.active_requests}. Thread-safe.
 *
 * <p>A request is timed from its first byte to the last of its answer, and counted after that.
 *
 * @see <a href="https://opentelemetry.io/docs/specs/semconv/http/http-metrics/">HTTP metrics</a>
 */
public final class HttpMetrics {
  /** What the conventions call a method that is none of HTTP's. */
  private static final String OTHER = "_OTHER";

  /** The type of error of requests to which no status was sent: their client went away. */
  private static final String ABORTED = "aborted";

  private static final int SERVER_ERROR = 500;

  private final HttpRoutes routes;
  private final MeterProvider<Timer> seconds;
  private final Map<HttpMethod, AtomicLong> active = new EnumMap<>(HttpMethod.class);

  HttpMetrics(MeterRegistry registry, Duration[] buckets, Set<String> paths) {
    routes = new HttpRoutes(paths);
    seconds =
        Timer.builder("http.server.request.duration")
            .description("From an HTTP request's first byte to the last of its answer.")
            .serviceLevelObjectives(buckets)
            .withRegistry(registry);
    for (HttpMethod method : HttpMethod.values()) {
      active.put(method, new AtomicLong());
    }
    // The methods that something is served under; the others are refused at once.
    for (HttpMethod method : Set.of(HttpMethod.GET, HttpMethod.POST)) {
      Gauge.builder("http.server.active_requests", active.get(method), AtomicLong::get)
          .description("HTTP requests that have begun and are not answered yet.")
          .tag("http.request.method", method.name())
          .register(registry);
    }
  }

  /** Serves a request, and counts it when it is over. */
  public HttpResponse serve(HttpService next, ServiceRequestContext ctx, HttpRequest request)
      throws Exception {
    AtomicLong running = active.get(ctx.method());
    running.incrementAndGet();
    CompletableFuture<Void> unused =
        ctx.log()
            .whenComplete()
            .thenAccept(
                log -> {
                  running.decrementAndGet();
                  record(ctx, log);
                });
    return next.serve(ctx, request);
  }

  private void record(ServiceRequestContext ctx, RequestLog log) {
    HttpMethod method = ctx.method();
    HttpStatus status = log.responseHeaders().status();
    boolean told = status.code() > 0;
    String error = !told ? ABORTED : status.code() >= SERVER_ERROR ? status.codeAsText() : "";
    seconds
        .withTags(
            Tags.of(
                "http.request.method",
                method == HttpMethod.UNKNOWN ? OTHER : method.name(),
                "http.route",
                routes.of(ctx.decodedPath()),
                "http.response.status_code",
                told ? status.codeAsText() : "",
                "error.type",
                error))
        .record(Duration.ofNanos(log.totalDurationNanos()));
  }
}
