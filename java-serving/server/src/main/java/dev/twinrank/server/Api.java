package dev.twinrank.server;

import com.linecorp.armeria.common.AggregatedHttpRequest;
import com.linecorp.armeria.common.ExchangeType;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.RoutingContext;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.ScoringException;
import dev.twinrank.server.Models.Served;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every path of the server. Thread-safe. */
final class Api implements HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(Api.class);
  private static final MediaType PROMETHEUS =
      MediaType.parse("text/plain; version=0.0.4; charset=utf-8");

  private final Gate gate;
  private final Metrics metrics;
  private volatile Models models = Models.NONE;

  Api(Gate gate, Metrics metrics) {
    this.gate = gate;
    this.metrics = metrics;
  }

  /** Says what is served, before the gate is opened. */
  void serve(Models verified) {
    models = verified;
  }

  /**
   * A request is looked at when all of it is here, so that an early error never cuts a client off
   * in mid-sentence.
   */
  @Override
  public ExchangeType exchangeType(RoutingContext routingContext) {
    return ExchangeType.UNARY;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext ctx, HttpRequest request) {
    if (gate.draining() && !ctx.sessionProtocol().isMultiplex()) {
      // This answer carries "Connection: close", so that the client's next request goes elsewhere.
      // HTTP/2 clients hear of it by not_ready alone, because Java 17's own fails what is in flight
      // when a GOAWAY comes (measured with 17.0.15).
      CompletableFuture<Void> unused = ctx.initiateConnectionShutdown();
    }
    Target target = Target.of(ctx.decodedPath());
    if (target instanceof Target.Rank rank) {
      return rank(ctx, request, rank);
    }
    if (target instanceof Target.Unknown) {
      return refuse(Problem.unknownPath(ctx.path()));
    }
    if (!target.has(request.method())) {
      return refuse(Problem.methodNotAllowed(request.method().name(), target));
    }
    if (target instanceof Target.Live) {
      return json(Views.status("live"));
    }
    if (target instanceof Target.Scrape) {
      return HttpResponse.of(HttpStatus.OK, PROMETHEUS, metrics.scrape());
    }
    Optional<String> closed = gate.closed();
    if (closed.isPresent()) {
      return refuse(Problem.of(ServiceCode.NOT_READY, closed.get()));
    }
    if (target instanceof Target.ModelDetail detail) {
      return models
          .find(detail.name())
          .map(served -> json(Views.model(served)))
          .orElseGet(() -> refuse(unknownModel(detail.name())));
    }
    return json(target instanceof Target.ModelList ? Views.models(models) : Views.ready(models));
  }

  private HttpResponse rank(ServiceRequestContext ctx, HttpRequest request, Target.Rank rank) {
    Optional<Served> served = models.find(rank.name());
    Answering answering =
        Answering.begin(
            ctx, metrics, served.map(found -> found.model().name()).orElse(Metrics.NO_MODEL));
    if (!rank.has(request.method())) {
      return refuse(answering, Problem.methodNotAllowed(request.method().name(), rank));
    }
    Optional<String> closed = gate.enter();
    if (closed.isPresent()) {
      return refuse(answering, Problem.of(ServiceCode.NOT_READY, closed.get()));
    }
    CompletableFuture<Void> unused = ctx.log().whenComplete().thenRun(gate::leave);
    if (served.isEmpty()) {
      return refuse(answering, unknownModel(rank.name()));
    }
    if (rank.version().isPresent()
        && !rank.version().get().equals(Long.toString(served.get().version()))) {
      return refuse(answering, unknownVersion(served.get(), rank.version().get()));
    }
    Optional<Problem> unsupported = unsupportedMediaType(request);
    if (unsupported.isPresent()) {
      return refuse(answering, unsupported.get());
    }
    return HttpResponse.of(
        request
            .aggregate()
            .thenApplyAsync(
                whole -> answer(served.get(), answering, whole), ctx.blockingTaskExecutor()));
  }

  private HttpResponse answer(Served served, Answering answering, AggregatedHttpRequest whole) {
    try {
      RankRequest request = served.model().parse(whole.content().array());
      Ranking ranking;
      try {
        ranking = served.model().rank(request);
      } catch (IllegalStateException e) {
        return refuse(
            answering,
            Problem.of(
                ServiceCode.MODEL_CLOSED,
                "the model '%s' was closed before the request's turn came"
                    .formatted(name(served))));
      }
      HttpResponse response = json(Views.ranking(served, ranking));
      metrics.ranked(served.model().name(), request.candidates());
      answering.answer(Metrics.OK);
      return response;
    } catch (ScoringException e) {
      if (e.code() == ErrorCode.SCORING_FAILED) {
        LOG.error(
            "{}/{} {} failed on a valid request",
            name(served),
            served.version(),
            served.model().digest(),
            e);
      }
      return refuse(answering, Problem.of(e));
    }
  }

  private Problem unknownModel(String name) {
    return Problem.of(
        ServiceCode.UNKNOWN_MODEL,
        "no model '%s'; there are: %s".formatted(name, String.join(", ", models.names())));
  }

  private static Problem unknownVersion(Served served, String version) {
    return Problem.of(
        ServiceCode.UNKNOWN_MODEL,
        "no version '%s' of the model '%s'; version %d is served"
            .formatted(version, name(served), served.version()));
  }

  private static Optional<Problem> unsupportedMediaType(HttpRequest request) {
    MediaType type = request.contentType();
    if (type == null || !type.type().equals("application") || !type.subtype().equals("json")) {
      return Optional.of(
          Problem.of(
              ServiceCode.UNSUPPORTED_MEDIA_TYPE,
              "the Content-Type is '%s'; send application/json"
                  .formatted(request.headers().get(HttpHeaderNames.CONTENT_TYPE, ""))));
    }
    String coding = request.headers().get(HttpHeaderNames.CONTENT_ENCODING, "identity");
    if (!coding.equals("identity")) {
      return Optional.of(
          Problem.of(
              ServiceCode.UNSUPPORTED_MEDIA_TYPE,
              "the Content-Encoding is '%s'; send the body as it is".formatted(coding)));
    }
    return Optional.empty();
  }

  private static HttpResponse json(byte[] body) {
    return HttpResponse.of(
        ResponseHeaders.of(HttpStatus.OK, HttpHeaderNames.CONTENT_TYPE, MediaType.JSON),
        HttpData.wrap(body));
  }

  private static HttpResponse refuse(Answering answering, Problem problem) {
    answering.answer(problem.code());
    return refuse(problem);
  }

  private static HttpResponse refuse(Problem problem) {
    return problem.response().toHttpResponse();
  }

  private static String name(Served served) {
    return served.model().name();
  }
}
