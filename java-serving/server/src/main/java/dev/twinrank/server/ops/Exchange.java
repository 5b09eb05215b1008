package dev.twinrank.server.ops;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.ScoringListener;
import io.netty.util.AsciiString;
import io.netty.util.AttributeKey;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.slf4j.MDC;

/**
 * A request for scores on its way to its one answer, whatever protocol it came by. It is finished,
 * and so counted, before its answer is sent: whoever has read an answer finds it in the metrics.
 *
 * <p>Thread-safe as it is used: one thread after the other holds a request, and what hands it on
 * (an executor, a future) orders what they write.
 */
public final class Exchange {
  /** The header that names a request, in both directions. */
  public static final AsciiString REQUEST_ID = HttpHeaderNames.of("x-request-id");

  private static final AttributeKey<Exchange> KEY =
      AttributeKey.valueOf(Exchange.class, "EXCHANGE");
  private static final AsciiString TRACEPARENT = HttpHeaderNames.of("traceparent");
  private static final AsciiString TRACESTATE = HttpHeaderNames.of("tracestate");
  // It goes to logs and back to the client as it is.
  private static final Pattern SANE_ID = Pattern.compile("[\\x21-\\x7e]{1,128}");

  /** What a request for scores came by. */
  public enum Protocol {
    /** The ranking API. */
    RANK("rank"),
    /** The Open Inference Protocol over HTTP. */
    OIP_HTTP("oip_http"),
    /** The Open Inference Protocol over gRPC. */
    OIP_GRPC("oip_grpc");

    private final String label;

    Protocol(String label) {
      this.label = label;
    }

    /** Returns the word that metrics and logs use. */
    public String label() {
      return label;
    }
  }

  private static final ThreadLocal<Exchange> CURRENT = new ThreadLocal<>();

  private final ServiceRequestContext context;
  private final Metrics metrics;
  private final Protocol protocol;
  private final String model;
  private final String requestId;
  private final TraceContext trace;
  private final long arrived = System.nanoTime();
  private final AtomicBoolean finished = new AtomicBoolean();
  private OptionalLong queuedNanos = OptionalLong.empty();
  private OptionalLong version = OptionalLong.empty();
  private Optional<String> digest = Optional.empty();
  private OptionalInt candidates = OptionalInt.empty();
  private final boolean sampled;
  private Optional<Sample> sample = Optional.empty();
  private Optional<ScoringListener.Event> stages = Optional.empty();
  private OptionalLong writingNanos = OptionalLong.empty();

  private Exchange(
      ServiceRequestContext context, Metrics metrics, Protocol protocol, String model) {
    RequestHeaders headers = context.request().headers();
    this.context = context;
    this.metrics = metrics;
    this.protocol = protocol;
    this.model = model;
    String given = headers.get(REQUEST_ID, "");
    this.requestId =
        SANE_ID.matcher(given).matches() ? given : TraceContext.id() + TraceContext.id();
    this.trace =
        TraceContext.of(
            headers.getAll(TRACEPARENT), headers.getAll(TRACESTATE), metrics.recording());
    this.sampled = trace.share() < metrics.sampling();
  }

  /**
   * Begins the exchange of a request whose last byte has come. Whatever its answer will be, it
   * carries the request's id and this server's span.
   *
   * @param model the name of a served model, or {@link Metrics#NO_MODEL}: it becomes a label
   */
  public static Exchange begin(
      ServiceRequestContext ctx, Metrics metrics, Protocol protocol, String model) {
    Exchange exchange = new Exchange(ctx, metrics, protocol, model);
    ctx.setAttr(KEY, exchange);
    ctx.setAdditionalResponseHeader(REQUEST_ID, exchange.requestId);
    ctx.setAdditionalResponseHeader(TRACEPARENT, exchange.trace.header());
    exchange.trace.state().ifPresent(s -> ctx.setAdditionalResponseHeader(TRACESTATE, s));
    return exchange;
  }

  /** Returns the exchange of this context; empty if its request asks for no scores. */
  public static Optional<Exchange> of(ServiceRequestContext ctx) {
    return Optional.ofNullable(ctx.attr(KEY));
  }

  /** Returns the HTTP layer's own view of the request. */
  public ServiceRequestContext context() {
    return context;
  }

  /** Returns what the request came by. */
  public Protocol protocol() {
    return protocol;
  }

  /** Returns the label of the model: a served one's name, or {@link Metrics#NO_MODEL}. */
  public String model() {
    return model;
  }

  /** Returns the request's id: the client's, or a new one. */
  public String requestId() {
    return requestId;
  }

  /** Returns where the request stands in a trace. */
  public TraceContext trace() {
    return trace;
  }

  /** Returns the value of {@link System#nanoTime} at which the request had come. */
  public long arrived() {
    return arrived;
  }

  /** Says that the request waited so long for a scoring thread. */
  public void queued(long nanos) {
    queuedNanos = OptionalLong.of(nanos);
  }

  /** Returns how long the request waited; empty if it was refused before. */
  public OptionalLong queuedNanos() {
    return queuedNanos;
  }

  /** Says which version is to answer. */
  public void leased(Lease lease) {
    version = OptionalLong.of(lease.version());
    digest = Optional.of(lease.model().digest());
  }

  /** Returns the version that answered; empty if none was asked. */
  public OptionalLong version() {
    return version;
  }

  /** Returns the digest of the bundle that answered; empty if none was asked. */
  public Optional<String> digest() {
    return digest;
  }

  /** Says that so many candidates were scored. */
  public void scored(Lease lease, int count) {
    candidates = OptionalInt.of(count);
    metrics.ranked(lease.model().name(), count);
  }

  /** Returns how many candidates were scored; empty if none were. */
  public OptionalInt candidates() {
    return candidates;
  }

  /**
   * Keeps what was scored, if the request is in the sample of the request log. Call it on the
   * scoring thread, while the lease is held.
   *
   * @param request gives the raw request as JSON in UTF-8, one that the model accepts and that has
   *     the bits of {@code ranking}; asked only if it is needed
   */
  public void keep(Supplier<byte[]> request, Model model, Ranking ranking) {
    if (sampled) {
      sample = Optional.of(Sample.of(request.get(), model, ranking));
    }
  }

  /** Returns what was kept for the request log; empty if the request is not in its sample. */
  Optional<Sample> sample() {
    return sample;
  }

  /** Returns the exchange whose work this thread does; empty outside of it. */
  static Optional<Exchange> current() {
    return Optional.ofNullable(CURRENT.get());
  }

  /** Keeps the times of the model's stages. */
  void scored(ScoringListener.Event event) {
    stages = Optional.of(event);
  }

  /** Returns the times of the model's stages; empty if it was not asked. */
  Optional<ScoringListener.Event> stages() {
    return stages;
  }

  /**
   * Writes the answer of what was scored, and counts how long that took.
   *
   * @param write makes the answer
   */
  public <T> T write(Model model, Supplier<T> write) {
    long began = System.nanoTime();
    T answer = write.get();
    long nanos = System.nanoTime() - began;
    writingNanos = OptionalLong.of(nanos);
    metrics.written(model, nanos);
    return answer;
  }

  /** Returns how long the answer took to be written; empty if there was none to write. */
  OptionalLong writingNanos() {
    return writingNanos;
  }

  /** Lets what this thread logs name the request, until {@link #leaveThread}. */
  public void enterThread() {
    CURRENT.set(this);
    MDC.put("request_id", requestId);
    MDC.put("trace_id", trace.traceId());
    MDC.put("span_id", trace.spanId());
  }

  /** Ends what {@link #enterThread} began. */
  public static void leaveThread() {
    CURRENT.remove();
    MDC.clear();
  }

  /**
   * Counts the answer, the first time it is called.
   *
   * @param outcome {@link Metrics#OK} or a code of the contract
   */
  public void finish(String outcome) {
    if (finished.compareAndSet(false, true)) {
      metrics.finished(this, outcome, System.nanoTime() - arrived);
    }
  }
}
