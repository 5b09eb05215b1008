package dev.twinrank.server.api;

import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.flow.Gate;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.ops.Metrics;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.ServiceCode;
import java.util.Optional;
import java.util.function.Supplier;

/** Liveness, readiness and metrics, on both listeners; never on a scoring thread. Thread-safe. */
public final class Health implements HttpService {
  private static final MediaType PROMETHEUS = MediaType.parse(Metrics.TEXT);
  private static final MediaType OPEN_METRICS = MediaType.parse(Metrics.OPEN_METRICS);

  private final Gate gate;
  private final Metrics metrics;
  private final Supplier<Models> models;

  /** Makes what answers for a server. */
  public Health(Gate gate, Metrics metrics, Supplier<Models> models) {
    this.gate = gate;
    this.metrics = metrics;
    this.models = models;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext ctx, HttpRequest request) {
    Target target = Target.of(ctx.decodedPath());
    if (!(target instanceof Target.Live
        || target instanceof Target.Ready
        || target instanceof Target.Scrape)) {
      return Api.refuse(
          Problem.unknownPath(
              ctx.path(),
              "here are /health/live, /health/ready, /metrics and /admin/models; the service is on the listener of --port"));
    }
    if (!target.has(request.method())) {
      return Api.refuse(Problem.methodNotAllowed(request.method().name(), target.methods()));
    }
    return answer(ctx, target);
  }

  HttpResponse answer(ServiceRequestContext ctx, Target target) {
    if (target instanceof Target.Live) {
      return Api.json(Views.status("live"));
    }
    if (target instanceof Target.Scrape) {
      // By name only: whoever takes anything expects what everybody has always given.
      boolean open =
          ctx.request().headers().accept().stream()
              .anyMatch(each -> each.is(OPEN_METRICS.withoutParameters()));
      return open
          ? HttpResponse.of(HttpStatus.OK, OPEN_METRICS, metrics.scrape(Metrics.OPEN_METRICS))
          : HttpResponse.of(HttpStatus.OK, PROMETHEUS, metrics.scrape());
    }
    Optional<String> closed = gate.closed();
    return closed.isPresent()
        ? Api.refuse(Problem.of(ServiceCode.NOT_READY, closed.get()))
        : Api.json(Views.ready(models.get()));
  }
}
