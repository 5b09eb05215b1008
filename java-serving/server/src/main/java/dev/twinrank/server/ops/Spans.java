package dev.twinrank.server.ops;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringListener;
import dev.twinrank.server.problem.ServiceCode;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.IdGenerator;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import java.time.Instant;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Sends the requests of recorded traces to an OpenTelemetry collector: a span a request, with the
 * id that its answer carried, and below it one each for its wait, its scoring and the stages of
 * that. Thread-safe.
 *
 * <p>Sending is another thread's, in batches; what a collector that is away would have got is
 * dropped when the queue (2,048 spans) is full.
 */
final class Spans implements ExchangeListener, AutoCloseable {
  private static final AttributeKey<String> REQUEST_ID =
      AttributeKey.stringKey("recsys.request.id");
  private static final AttributeKey<String> PROTOCOL = AttributeKey.stringKey("recsys.protocol");
  private static final AttributeKey<String> MODEL = AttributeKey.stringKey("recsys.model");
  private static final AttributeKey<Long> VERSION = AttributeKey.longKey("recsys.model.version");
  private static final AttributeKey<String> BUNDLE = AttributeKey.stringKey("recsys.bundle");
  private static final AttributeKey<Long> CANDIDATES = AttributeKey.longKey("recsys.candidates");
  private static final AttributeKey<String> OUTCOME = AttributeKey.stringKey("recsys.outcome");
  private static final AttributeKey<String> ERROR_TYPE = AttributeKey.stringKey("error.type");
  private static final int SERVER_ERROR = 500;
  private static final long CLOSE_SECONDS = 5;

  /** Codes that are the server's fault: only those make a server's span an error. */
  private static final Set<String> FAULTS =
      Stream.concat(
              Arrays.stream(ServiceCode.values())
                  .filter(code -> code.httpStatus() >= SERVER_ERROR)
                  .map(ServiceCode::code),
              Arrays.stream(ErrorCode.values())
                  .filter(code -> code.httpStatus().orElse(0) >= SERVER_ERROR)
                  .map(ErrorCode::code))
          .collect(Collectors.toUnmodifiableSet());

  private final Ids ids = new Ids();
  private final SdkTracerProvider provider;
  private final Tracer tracer;

  /**
   * Sends to a collector.
   *
   * @param endpoint the URL of its OTLP/HTTP receiver, {@code http://host:4318/v1/traces}
   * @param version the server's
   */
  Spans(String endpoint, String version) {
    provider =
        SdkTracerProvider.builder()
            .setIdGenerator(ids)
            .setResource(
                Resource.getDefault()
                    .merge(
                        Resource.create(
                            Attributes.of(
                                AttributeKey.stringKey("service.name"),
                                "twinrank-server",
                                AttributeKey.stringKey("service.version"),
                                version))))
            .addSpanProcessor(
                BatchSpanProcessor.builder(
                        OtlpHttpSpanExporter.builder().setEndpoint(endpoint).build())
                    .build())
            .build();
    tracer = provider.get("dev.twinrank.server");
  }

  @Override
  public void finished(Exchange exchange, String outcome, long nanos) {
    TraceContext trace = exchange.trace();
    if (!trace.sampled()) {
      return;
    }
    long end = epochNanos();
    long begin = end - nanos;
    Span span;
    ids.next(trace);
    try {
      span =
          tracer
              .spanBuilder(exchange.protocol().label() + " " + exchange.model())
              .setParent(parent(trace))
              .setSpanKind(SpanKind.SERVER)
              .setStartTimestamp(begin, TimeUnit.NANOSECONDS)
              .setAllAttributes(
                  Attributes.of(
                      REQUEST_ID, exchange.requestId(),
                      PROTOCOL, exchange.protocol().label(),
                      MODEL, exchange.model(),
                      OUTCOME, outcome))
              .startSpan();
    } finally {
      ids.clear();
    }
    exchange.version().ifPresent(version -> span.setAttribute(VERSION, version));
    exchange.digest().ifPresent(digest -> span.setAttribute(BUNDLE, digest));
    exchange.candidates().ifPresent(count -> span.setAttribute(CANDIDATES, (long) count));
    if (FAULTS.contains(outcome)) {
      span.setAttribute(ERROR_TYPE, outcome).setStatus(StatusCode.ERROR, outcome);
    }
    if (exchange.queuedNanos().isPresent()) {
      long started = begin + exchange.queuedNanos().getAsLong();
      child(span, "queue", begin, started);
      child(span, "score", started, end);
      stages(exchange, span, started, end);
    }
    span.end(end, TimeUnit.NANOSECONDS);
  }

  /**
   * The stages of scoring. They are timed and not dated: those of the model follow each other from
   * the beginning, writing ends with the whole, and what lies between is nobody's.
   */
  private void stages(Exchange exchange, Span parent, long started, long end) {
    if (exchange.stages().isPresent()) {
      ScoringListener.Event event = exchange.stages().get();
      long at = stage(parent, "keys", started, event.keysNanos());
      at = stage(parent, "pack", at, event.packNanos());
      at = stage(parent, "run", at, event.runNanos());
      long unused = stage(parent, "order", at, event.orderNanos());
    }
    if (exchange.writingNanos().isPresent()) {
      child(parent, "write", end - exchange.writingNanos().getAsLong(), end);
    }
  }

  private long stage(Span parent, String name, long at, long nanos) {
    if (nanos < 0) {
      return at;
    }
    child(parent, name, at, at + nanos);
    return at + nanos;
  }

  private void child(Span parent, String name, long begin, long end) {
    tracer
        .spanBuilder(name)
        .setParent(Context.root().with(parent))
        .setStartTimestamp(begin, TimeUnit.NANOSECONDS)
        .startSpan()
        .end(end, TimeUnit.NANOSECONDS);
  }

  private static Context parent(TraceContext trace) {
    if (trace.parentId().isEmpty()) {
      return Context.root();
    }
    return Context.root()
        .with(
            Span.wrap(
                SpanContext.createFromRemoteParent(
                    trace.traceId(),
                    trace.parentId().get(),
                    TraceFlags.fromByte((byte) trace.flags()),
                    TraceState.getDefault())));
  }

  private static long epochNanos() {
    Instant now = Instant.now();
    return TimeUnit.SECONDS.toNanos(now.getEpochSecond()) + now.getNano();
  }

  /** Sends what waits, for five seconds at most. */
  @Override
  public void close() {
    provider.shutdown().join(CLOSE_SECONDS, TimeUnit.SECONDS);
  }

  /** Gives a request's span the ids that its answer carried, and all others random ones. */
  private static final class Ids implements IdGenerator {
    private static final ThreadLocal<TraceContext> NEXT = new ThreadLocal<>();

    void next(TraceContext trace) {
      NEXT.set(trace);
    }

    void clear() {
      NEXT.remove();
    }

    @Override
    public String generateSpanId() {
      TraceContext trace = NEXT.get();
      return trace == null ? IdGenerator.random().generateSpanId() : trace.spanId();
    }

    @Override
    public String generateTraceId() {
      TraceContext trace = NEXT.get();
      return trace == null ? IdGenerator.random().generateTraceId() : trace.traceId();
    }
  }
}
