package dev.twinrank.server.oip.grpc;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import com.linecorp.armeria.common.ExchangeType;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.RoutingContext;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;

/**
 * The calls of some gRPC services, by their paths. Thread-safe once all methods have been added.
 */
final class Calls implements HttpService {
  /** Answers the calls of one method; what it throws is a {@link Refusal} or a fault. */
  @FunctionalInterface
  interface Handler {
    HttpResponse answer(ServiceRequestContext ctx, HttpRequest request);
  }

  private record Method(Handler handler, ExchangeType exchange) {}

  private final Map<String, Method> methods = new TreeMap<>();

  /** Adds a method whose answer is there at once. */
  <T extends MessageLite> Calls unary(
      String path, Parser<T> parser, Function<T, ? extends MessageLite> answer) {
    return unary(path, (ctx, request) -> simple(ctx, request, parser, answer, Runnable::run));
  }

  /** Adds a method whose answer takes its time: a thread that may block makes it. */
  <T extends MessageLite> Calls blocking(
      String path, Parser<T> parser, Function<T, ? extends MessageLite> answer) {
    return unary(
        path, (ctx, request) -> simple(ctx, request, parser, answer, ctx.blockingTaskExecutor()));
  }

  /** Adds a method whose request and whose answer are one message each. */
  Calls unary(String path, Handler handler) {
    methods.put(path, new Method(handler, ExchangeType.UNARY));
    return this;
  }

  /** Adds a method with a stream. */
  Calls stream(String path, Handler handler) {
    methods.put(path, new Method(handler, ExchangeType.BIDI_STREAMING));
    return this;
  }

  @Override
  public ExchangeType exchangeType(RoutingContext routing) {
    Method method = methods.get(routing.path());
    return method == null ? ExchangeType.UNARY : method.exchange;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext ctx, HttpRequest request) {
    if (!request.method().equals(HttpMethod.POST)) {
      return Problem.methodNotAllowed(request.method().name(), "POST").response().toHttpResponse();
    }
    if (!GrpcDialect.isCall(request.headers())) {
      return Problem.of(
              ServiceCode.UNSUPPORTED_MEDIA_TYPE,
              "this path is a method of gRPC: call it by a gRPC client, whose Content-Type is application/grpc")
          .response()
          .toHttpResponse();
    }
    Method method = methods.get(ctx.path());
    if (method == null) {
      throw new Refusal(
          Problem.of(
              ServiceCode.UNKNOWN_PATH,
              "no method %s; there are: %s"
                  .formatted(ctx.path(), String.join(", ", methods.keySet()))));
    }
    return method.handler.answer(ctx, request);
  }

  private static <T extends MessageLite> HttpResponse simple(
      ServiceRequestContext ctx,
      HttpRequest request,
      Parser<T> parser,
      Function<T, ? extends MessageLite> answer,
      Executor executor) {
    Coding coding = Coding.of(request.headers());
    CompletableFuture<HttpResponse> answered =
        request
            .aggregate()
            .thenApplyAsync(
                whole -> {
                  Message message = Message.of(whole.content(), coding, ctx.maxRequestLength());
                  return answer(request.headers(), coding, answer.apply(message.read(parser)));
                },
                executor);
    return HttpResponse.of(answered);
  }

  /** Returns the answer that is one message. */
  static HttpResponse answer(RequestHeaders asked, Coding coding, MessageLite message) {
    Coding own = Coding.forAnswer(asked, coding);
    return HttpResponse.of(headers(own), Message.frame(message, own), GrpcStatus.fine());
  }

  /** Returns the headers of an answer that has messages. */
  static ResponseHeaders headers(Coding coding) {
    return ResponseHeaders.builder(HttpStatus.OK)
        .contentType(GrpcStatus.MEDIA_TYPE)
        .set(Coding.HEADER, coding.label)
        .set(Coding.ACCEPT_HEADER, Coding.ACCEPTED)
        .build();
  }
}
