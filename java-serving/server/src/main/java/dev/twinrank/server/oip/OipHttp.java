package dev.twinrank.server.oip;

import com.linecorp.armeria.common.AggregatedHttpRequest;
import com.linecorp.armeria.common.ExchangeType;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.RoutingContext;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.Cancellation;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.server.api.Coding;
import dev.twinrank.server.api.Errors;
import dev.twinrank.server.flow.Call;
import dev.twinrank.server.flow.Deadlines;
import dev.twinrank.server.flow.Desk;
import dev.twinrank.server.flow.Gate;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.ops.Exchange;
import dev.twinrank.server.ops.Metrics;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import io.netty.util.AsciiString;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The Open Inference Protocol over HTTP, on the service's listener. Thread-safe. */
public final class OipHttp implements HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(OipHttp.class);
  private static final AsciiString HEADER_LENGTH =
      HttpHeaderNames.of("inference-header-content-length");
  private static final Pattern LENGTH = Pattern.compile("0|[1-9][0-9]{0,9}");

  private final Gate gate;
  private final Desk desk;
  private final Metrics metrics;
  private final Supplier<Models> models;
  private final Inference inference;
  private final Repository repository;
  private final ServerCard server;

  /** Makes the protocol's part of a service. */
  public OipHttp(
      Gate gate,
      Desk desk,
      Metrics metrics,
      Supplier<Models> models,
      Inference inference,
      Repository repository,
      ServerCard server) {
    this.gate = gate;
    this.desk = desk;
    this.metrics = metrics;
    this.models = models;
    this.inference = inference;
    this.repository = repository;
    this.server = server;
  }

  @Override
  public ExchangeType exchangeType(RoutingContext routingContext) {
    return ExchangeType.UNARY;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext ctx, HttpRequest request) {
    OipTarget target = OipTarget.of(ctx.decodedPath());
    if (target.kind() == OipTarget.Kind.INFER) {
      return infer(ctx, request, target);
    }
    try {
      if (target.kind() == OipTarget.Kind.UNKNOWN) {
        throw new Refusal(Problem.unknownPath(ctx.path()));
      }
      if (!target.has(request.method())) {
        throw new Refusal(Problem.methodNotAllowed(request.method().name(), target.methods()));
      }
      return answer(target);
    } catch (Refusal refusal) {
      return refuse(refusal.problem());
    }
  }

  private HttpResponse answer(OipTarget target) {
    if (target.kind() == OipTarget.Kind.SERVER) {
      return json(HttpStatus.OK, OipViews.server(server));
    }
    if (target.kind() == OipTarget.Kind.LIVE) {
      return json(HttpStatus.OK, OipViews.health(gate.closed().isEmpty()));
    }
    Optional<String> closed = gate.closed();
    if (closed.isPresent()) {
      throw new Refusal(Problem.of(ServiceCode.NOT_READY, closed.get()));
    }
    return switch (target.kind()) {
      case READY -> json(HttpStatus.OK, OipViews.health(true));
      case METADATA ->
          json(target, card -> OipViews.metadata(card, repository.versions(card.name())));
      case MODEL_READY -> json(target, card -> OipViews.modelReady(card.name()));
      case CONFIG -> json(target, OipViews::config);
      case STATISTICS -> json(HttpStatus.OK, OipViews.statistics(statistics(target)));
      case INDEX -> json(HttpStatus.OK, OipViews.index(repository.index()));
      case LOAD, UNLOAD ->
          throw new Refusal(
              Problem.of(
                  ServiceCode.ADMIN_ONLY,
                  "models are loaded and unloaded on the listener of --admin-port only"));
      default -> throw new IllegalStateException(target + " is answered elsewhere");
    };
  }

  private List<ServedVersion> statistics(OipTarget target) {
    if (target.model().isEmpty()) {
      return repository.statistics(Optional.empty(), Optional.empty());
    }
    try (Lease lease = desk.lease(target.model(), target.version())) {
      return repository.statistics(
          Optional.of(target.model()),
          target.version().isEmpty() ? Optional.empty() : Optional.of(lease.version()));
    }
  }

  private HttpResponse json(OipTarget target, Function<ModelCard, byte[]> view) {
    try (Lease lease = desk.lease(target.model(), target.version())) {
      return json(HttpStatus.OK, view.apply(inference.card(lease)));
    }
  }

  private HttpResponse infer(ServiceRequestContext ctx, HttpRequest request, OipTarget target) {
    String label = models.get().has(target.model()) ? target.model() : Metrics.NO_MODEL;
    Exchange exchange = Exchange.begin(ctx, metrics, Exchange.Protocol.OIP_HTTP, label);
    Optional<Duration> budget;
    Coding coding;
    try {
      if (!target.has(request.method())) {
        throw new Refusal(Problem.methodNotAllowed(request.method().name(), target.methods()));
      }
      desk.enter(ctx);
      desk.find(target.model(), target.version());
      coding = Coding.of(request.headers());
      budget = Deadlines.of(request.headers());
    } catch (Refusal refusal) {
      return refuse(exchange, refusal.problem());
    }
    CompletableFuture<HttpResponse> answer =
        request
            .aggregate()
            .thenCompose(
                whole -> {
                  Call call =
                      new Call(
                          exchange,
                          target.model(),
                          target.version(),
                          whole.content().length(),
                          OptionalInt.empty(),
                          budget);
                  return desk.submit(
                      call,
                      (lease, cancellation) ->
                          infer(
                              exchange,
                              whole,
                              coding,
                              ctx.maxRequestLength(),
                              lease,
                              cancellation));
                })
            .thenApply(
                response -> {
                  exchange.finish(Metrics.OK);
                  return response;
                });
    return HttpResponse.of(
        answer.exceptionally(thrown -> refuse(exchange, Errors.problem(ctx, thrown))));
  }

  private HttpResponse infer(
      Exchange exchange,
      AggregatedHttpRequest whole,
      Coding coding,
      long most,
      Lease lease,
      Cancellation cancellation) {
    InferRequest[] read = new InferRequest[1];
    InferResponse response =
        inference.infer(
            exchange,
            lease,
            cancellation,
            () -> {
              read[0] = read(whole, coding, most);
              return read[0];
            });
    InferWriter.Body body = InferWriter.write(read[0], response);
    ResponseHeadersBuilder headers =
        ResponseHeaders.builder(HttpStatus.OK)
            .contentType(body.headerLength().isPresent() ? MediaType.OCTET_STREAM : MediaType.JSON);
    body.headerLength().ifPresent(length -> headers.setInt(HEADER_LENGTH, length));
    byte[] bytes = body.bytes();
    Optional<Coding> wanted = Coding.wanted(whole.headers(), bytes.length);
    if (wanted.isPresent()) {
      headers.set(HttpHeaderNames.CONTENT_ENCODING, wanted.get().label());
      bytes = wanted.get().encode(bytes);
    }
    headers.set(HttpHeaderNames.VARY, HttpHeaderNames.ACCEPT_ENCODING.toString());
    return HttpResponse.of(headers.build(), HttpData.wrap(bytes));
  }

  private static InferRequest read(AggregatedHttpRequest whole, Coding coding, long most) {
    byte[] body = coding.decode(whole.content().array(), most);
    String given = whole.headers().get(HEADER_LENGTH);
    int length = body.length;
    if (given != null) {
      if (!LENGTH.matcher(given).matches() || Long.parseLong(given) > body.length) {
        throw OipProblems.request(
            "the header Inference-Header-Content-Length is '%s'; the body has %d bytes"
                .formatted(given, body.length));
      }
      length = Integer.parseInt(given);
    }
    InferRequest request = InferReader.read(body, length);
    InferWriter.check(request);
    return request;
  }

  private static HttpResponse json(HttpStatus status, byte[] body) {
    return HttpResponse.of(
        ResponseHeaders.of(status, HttpHeaderNames.CONTENT_TYPE, MediaType.JSON),
        HttpData.wrap(body));
  }

  private static HttpResponse refuse(Exchange exchange, Problem problem) {
    LOG.debug("refused: {}: {}", problem.code(), problem.detail());
    exchange.finish(problem.code());
    return refuse(problem);
  }

  static HttpResponse refuse(Problem problem) {
    return problem.response(MediaType.JSON, OipViews.error(problem)).toHttpResponse();
  }
}
