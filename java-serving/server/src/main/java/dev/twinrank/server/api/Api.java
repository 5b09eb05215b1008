package dev.twinrank.server.api;

import com.linecorp.armeria.common.ExchangeType;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.util.Exceptions;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.RoutingContext;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.core.Cancellation;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
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
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The ranking API, and what is asked about models. Thread-safe. */
public final class Api implements HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(Api.class);

  private final Gate gate;
  private final Desk desk;
  private final Metrics metrics;
  private final Supplier<Models> models;
  private final Health health;

  /** Makes the API of a service. */
  public Api(Gate gate, Desk desk, Metrics metrics, Supplier<Models> models, Health health) {
    this.gate = gate;
    this.desk = desk;
    this.metrics = metrics;
    this.models = models;
    this.health = health;
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
    Target target = Target.of(ctx.decodedPath());
    if (target instanceof Target.Unknown) {
      return refuse(
          ctx.path().startsWith("/admin")
              ? Problem.unknownPath(ctx.path(), "administration is on the listener of --admin-port")
              : Problem.unknownPath(ctx.path()));
    }
    if (request.method() == HttpMethod.OPTIONS) {
      return HttpResponse.of(
          ResponseHeaders.of(HttpStatus.NO_CONTENT, HttpHeaderNames.ALLOW, target.methods()));
    }
    if (target instanceof Target.Rank rank) {
      return rank(ctx, request, rank);
    }
    if (!target.has(request.method())) {
      return refuse(Problem.methodNotAllowed(request.method().name(), target.methods()));
    }
    if (target instanceof Target.ModelList || target instanceof Target.Detail) {
      return read(ctx, target);
    }
    if (target instanceof Target.Description) {
      return Description.openApi(request.headers());
    }
    if (target instanceof Target.Docs) {
      // The first one makes the page, which takes too long for an event loop.
      return HttpResponse.of(
          CompletableFuture.supplyAsync(
              () -> Description.page(request.headers()), ctx.blockingTaskExecutor()));
    }
    return health.answer(ctx, target);
  }

  private HttpResponse read(ServiceRequestContext ctx, Target target) {
    Optional<String> closed = gate.closed();
    if (closed.isPresent()) {
      return refuse(Problem.of(ServiceCode.NOT_READY, closed.get()));
    }
    try {
      RankOptions.checkNames(ctx.queryParams(), List.of());
      return Answers.json(
          ctx.request().headers(),
          target instanceof Target.Detail detail ? detail(detail) : Views.models(models.get()));
    } catch (Refusal refusal) {
      return refuse(refusal.problem());
    }
  }

  private byte[] detail(Target.Detail detail) {
    try (Lease lease = desk.lease(detail.name(), detail.version())) {
      return switch (detail.aspect()) {
        case MODEL -> Views.model(lease.model(), lease.version());
        case SCHEMA -> Views.schema(lease.model(), lease.version());
        case EVIDENCE -> Reports.evidence(lease.model(), lease.version());
        case STATISTICS -> Reports.statistics(lease.model(), lease.version());
      };
    }
  }

  private HttpResponse rank(ServiceRequestContext ctx, HttpRequest request, Target.Rank rank) {
    String label = models.get().has(rank.name()) ? rank.name() : Metrics.NO_MODEL;
    Exchange exchange = Exchange.begin(ctx, metrics, Exchange.Protocol.RANK, label);
    Optional<Duration> budget;
    RankOptions options;
    Coding coding;
    try {
      if (!rank.has(request.method())) {
        throw new Refusal(Problem.methodNotAllowed(request.method().name(), rank.methods()));
      }
      desk.enter(ctx);
      desk.find(rank.name(), rank.version());
      options = RankOptions.of(ctx.queryParams());
      checkMediaType(request.headers(), "send application/json");
      coding = Coding.of(request.headers());
      budget = Deadlines.of(request.headers());
    } catch (Refusal refusal) {
      return refuse(exchange, refusal);
    }
    CompletableFuture<HttpResponse> answer =
        request
            .aggregate()
            .thenCompose(
                whole -> {
                  byte[] sent = whole.content().array();
                  Call call =
                      new Call(
                          exchange,
                          rank.name(),
                          rank.version(),
                          sent.length,
                          OptionalInt.empty(),
                          budget);
                  return desk.submit(
                      call,
                      (lease, cancellation) -> {
                        byte[] body = coding.decode(sent, ctx.maxRequestLength());
                        byte[] text = rank(exchange, body, options, lease, cancellation);
                        return Answers.Body.of(request.headers(), text);
                      });
                })
            .thenApply(
                body -> {
                  exchange.finish(Metrics.OK);
                  return Answers.of(MediaType.JSON, body);
                });
    return HttpResponse.of(
        answer.exceptionally(
            thrown -> {
              if (Exceptions.peel(thrown) instanceof Refusal refusal) {
                return refuse(exchange, refusal);
              }
              return Exceptions.throwUnsafely(thrown); // Errors answers and logs it
            }));
  }

  private static byte[] rank(
      Exchange exchange, byte[] body, RankOptions options, Lease lease, Cancellation cancellation) {
    Model model = lease.model();
    int[] heads = options.heads(model);
    RankRequest request = model.parse(body);
    Ranking ranking = model.rank(request, cancellation);
    Optional<Explanation> explanation =
        options.explain() ? Optional.of(Explanation.of(model.schema(), request)) : Optional.empty();
    byte[] text =
        exchange.write(
            model, () -> Views.ranking(model, lease.version(), ranking, heads, explanation));
    exchange.scored(lease, request.candidates());
    exchange.keep(() -> body, model, ranking);
    return text;
  }

  /**
   * Makes sure that a body is JSON by its own words.
   *
   * @param remedy what to do else
   * @throws Refusal {@code unsupported_media_type}
   */
  static void checkMediaType(RequestHeaders headers, String remedy) {
    MediaType type = headers.contentType();
    if (type == null || !type.type().equals("application") || !type.subtype().equals("json")) {
      String given = headers.get(HttpHeaderNames.CONTENT_TYPE);
      throw new Refusal(
          Problem.of(
              ServiceCode.UNSUPPORTED_MEDIA_TYPE,
              (given == null ? "there is no Content-Type" : "the Content-Type is '" + given + "'")
                  + "; "
                  + remedy));
    }
  }

  static HttpResponse json(byte[] body) {
    return HttpResponse.of(
        ResponseHeaders.of(HttpStatus.OK, HttpHeaderNames.CONTENT_TYPE, MediaType.JSON),
        HttpData.wrap(body));
  }

  private static HttpResponse refuse(Exchange exchange, Refusal refusal) {
    LOG.debug("refused: {}", refusal.getMessage());
    exchange.finish(refusal.problem().code());
    return refuse(refusal.problem());
  }

  static HttpResponse refuse(Problem problem) {
    return problem.response().toHttpResponse();
  }
}
