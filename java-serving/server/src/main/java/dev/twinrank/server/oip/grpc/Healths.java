package dev.twinrank.server.oip.grpc;

import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpResponseWriter;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.flow.Gate;
import dev.twinrank.server.oip.grpc.wire.HealthCheckRequest;
import dev.twinrank.server.oip.grpc.wire.HealthCheckResponse;
import dev.twinrank.server.oip.grpc.wire.HealthCheckResponse.ServingStatus;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.Set;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** Whether scores are served, by gRPC's own protocol of health checks. Thread-safe. */
final class Healths {
  /** How often a watcher's status is looked at; its client hears of a change so late at most. */
  private static final long LOOK_MILLIS = 500;

  private final Gate gate;
  private final Set<String> services;

  /** Answers for the whole server, whose name is empty, and for these services. */
  Healths(Gate gate, Set<String> services) {
    this.gate = gate;
    this.services = services;
  }

  /**
   * Answers {@code Check}.
   *
   * @throws Refusal {@code unknown_model} for a service that is not known, as the protocol wants
   */
  HealthCheckResponse check(HealthCheckRequest asked) {
    ServingStatus status = status(asked);
    if (status == ServingStatus.SERVICE_UNKNOWN) {
      throw new Refusal(
          Problem.of(
              ServiceCode.UNKNOWN_MODEL,
              "no service '%s'; there are: '' and %s"
                  .formatted(asked.getService(), String.join(", ", services))));
    }
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }

  private ServingStatus status(HealthCheckRequest asked) {
    if (!asked.getService().isEmpty() && !services.contains(asked.getService())) {
      return ServingStatus.SERVICE_UNKNOWN;
    }
    return gate.closed().isEmpty() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }

  /** Answers {@code Watch}: the status now, and each other one when it comes. */
  HttpResponse watch(ServiceRequestContext ctx, HttpRequest request) {
    Coding coding = Coding.of(request.headers());
    return HttpResponse.of(
        request
            .aggregate()
            .thenApply(
                whole -> {
                  Message message = Message.of(whole.content(), coding, ctx.maxRequestLength());
                  HealthCheckRequest asked = message.read(HealthCheckRequest.parser());
                  HttpResponseWriter answer = HttpResponse.streaming();
                  answer.write(Calls.headers(Coding.IDENTITY));
                  tell(ctx, asked, answer, ServingStatus.UNKNOWN);
                  return answer;
                }));
  }

  private void tell(
      ServiceRequestContext ctx,
      HealthCheckRequest asked,
      HttpResponseWriter answer,
      ServingStatus told) {
    if (!answer.isOpen()) {
      return;
    }
    ServingStatus now = status(asked);
    if (now != told) {
      answer.write(
          Message.frame(HealthCheckResponse.newBuilder().setStatus(now).build(), Coding.IDENTITY));
    }
    if (gate.draining()) {
      // The server is about to go: its watchers had better ask the next one.
      answer.write(
          GrpcStatus.ended(Problem.of(ServiceCode.NOT_READY, gate.closed().orElseThrow())));
      answer.close();
      return;
    }
    ScheduledFuture<?> unused =
        ctx.eventLoop()
            .withoutContext()
            .schedule(() -> tell(ctx, asked, answer, now), LOOK_MILLIS, TimeUnit.MILLISECONDS);
  }
}
