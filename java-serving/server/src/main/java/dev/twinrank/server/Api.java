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
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.ScoringException;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every path of the server. Thread-safe. */
final class Api implements HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(Api.class);
  private static final MediaType PROMETHEUS =
      MediaType.parse("text/plain; version=0.0.4; charset=utf-8");

  private static final Pattern VERSION = Pattern.compile("[1-9][0-9]{0,17}");

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
      try (Lease lease = models.lease(detail.name())) {
        return json(Views.model(lease.model(), lease.version()));
      } catch (NoSuchElementException e) {
        return refuse(unknownModel(detail.name()));
      } catch (IllegalStateException e) {
        return refuse(modelClosed(detail.name()));
      }
    }
    return json(target instanceof Target.ModelList ? Views.models(models) : Views.ready(models));
  }

  private HttpResponse rank(ServiceRequestContext ctx, HttpRequest request, Target.Rank rank) {
    Answering answering =
        Answering.begin(ctx, metrics, models.has(rank.name()) ? rank.name() : Metrics.NO_MODEL);
    if (!rank.has(request.method())) {
      return refuse(answering, Problem.methodNotAllowed(request.method().name(), rank));
    }
    Optional<String> closed = gate.enter();
    if (closed.isPresent()) {
      return refuse(answering, Problem.of(ServiceCode.NOT_READY, closed.get()));
    }
    CompletableFuture<Void> unused = ctx.log().whenComplete().thenRun(gate::leave);
    // Whoever asks for what is not there hears it before all else. The lease that scores is taken
    // when the whole request has come, so that a slow client holds no version back.
    try (Lease lease = lease(rank)) {
      LOG.trace("{}/{} is there", rank.name(), lease.version());
    } catch (NoSuchElementException e) {
      return refuse(answering, unknown(rank));
    } catch (IllegalStateException e) {
      return refuse(answering, modelClosed(rank.name()));
    }
    Optional<Problem> unsupported = unsupportedMediaType(request);
    if (unsupported.isPresent()) {
      return refuse(answering, unsupported.get());
    }
    return HttpResponse.of(
        request
            .aggregate()
            .thenApplyAsync(whole -> answer(rank, answering, whole), ctx.blockingTaskExecutor()));
  }

  private HttpResponse answer(Target.Rank rank, Answering answering, AggregatedHttpRequest whole) {
    try (Lease lease = lease(rank)) {
      return answer(lease, answering, whole);
    } catch (NoSuchElementException e) {
      return refuse(answering, unknown(rank)); // replaced while the request came
    } catch (IllegalStateException e) {
      return refuse(answering, modelClosed(rank.name()));
    }
  }

  private HttpResponse answer(Lease lease, Answering answering, AggregatedHttpRequest whole) {
    Model model = lease.model();
    try {
      RankRequest request = model.parse(whole.content().array());
      Ranking ranking = model.rank(request);
      HttpResponse response = json(Views.ranking(model, lease.version(), ranking));
      metrics.ranked(model.name(), request.candidates());
      answering.answer(Metrics.OK);
      return response;
    } catch (ScoringException e) {
      if (e.code() == ErrorCode.SCORING_FAILED) {
        LOG.error(
            "{}/{} {} failed on a valid request", model.name(), lease.version(), model.digest(), e);
      }
      return refuse(answering, Problem.of(e));
    }
  }

  private Lease lease(Target.Rank rank) {
    if (rank.version().isEmpty()) {
      return models.lease(rank.name());
    }
    String version = rank.version().get();
    if (!VERSION.matcher(version).matches()) {
      throw new NoSuchElementException("no version is written so");
    }
    return models.lease(rank.name(), Long.parseLong(version));
  }

  private Problem unknown(Target.Rank rank) {
    Optional<Entry> active =
        models.all().stream().filter(entry -> entry.name().equals(rank.name())).findFirst();
    return rank.version().isEmpty() || active.isEmpty()
        ? unknownModel(rank.name())
        : Problem.of(
            ServiceCode.UNKNOWN_MODEL,
            "no version '%s' of the model '%s'; version %d is served"
                .formatted(rank.version().get(), rank.name(), active.get().version()));
  }

  private Problem unknownModel(String name) {
    return Problem.of(
        ServiceCode.UNKNOWN_MODEL,
        "no model '%s'; there are: %s".formatted(name, String.join(", ", models.names())));
  }

  private static Problem modelClosed(String name) {
    return Problem.of(
        ServiceCode.MODEL_CLOSED,
        "the model '%s' was closed before the request's turn came".formatted(name));
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
}
