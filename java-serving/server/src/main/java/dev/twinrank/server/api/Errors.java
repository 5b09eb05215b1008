package dev.twinrank.server.api;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.ContentTooLargeException;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ShuttingDownException;
import com.linecorp.armeria.common.stream.AbortedStreamException;
import com.linecorp.armeria.common.stream.ClosedStreamException;
import com.linecorp.armeria.common.util.Exceptions;
import com.linecorp.armeria.server.HttpStatusException;
import com.linecorp.armeria.server.RequestTimeoutException;
import com.linecorp.armeria.server.ServerErrorHandler;
import com.linecorp.armeria.server.ServiceConfig;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.ops.Exchange;
import dev.twinrank.server.problem.Dialect;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The answers to what the API does not answer itself: what the HTTP layer refuses, and faults. The
 * cause of a fault goes to the log and never to the client. Thread-safe.
 */
public final class Errors implements ServerErrorHandler {
  private static final Logger LOG = LoggerFactory.getLogger(Errors.class);

  private final List<Dialect> dialects;

  /** Tells whoever speaks none of these dialects by problem details. */
  public Errors(Dialect... dialects) {
    this.dialects = List.of(dialects);
  }

  @Override
  public HttpResponse onServiceException(ServiceRequestContext ctx, Throwable thrown) {
    Problem problem = problem(ctx, thrown);
    Exchange.of(ctx).ifPresent(exchange -> exchange.finish(problem.code()));
    return tell(ctx.request().headers(), problem).toHttpResponse();
  }

  private AggregatedHttpResponse tell(RequestHeaders headers, Problem problem) {
    for (Dialect dialect : dialects) {
      if (headers != null && dialect.isOf(headers)) {
        return dialect.tell(problem);
      }
    }
    return problem.response();
  }

  @Override
  public AggregatedHttpResponse renderStatus(
      ServiceRequestContext ctx,
      ServiceConfig config,
      RequestHeaders headers,
      HttpStatus status,
      String description,
      Throwable cause) {
    if (cause != null && status.isServerError()) {
      LOG.error("the HTTP layer failed with {}", status, cause);
    }
    if (status.equals(HttpStatus.METHOD_NOT_ALLOWED) && headers != null) {
      return tell(headers, noMethod(headers.path()));
    }
    ServiceCode code = ServiceCode.ofStatus(status);
    return tell(headers, Problem.of(code, description == null ? code.meaning() : description));
  }

  private static Problem noMethod(String pathAndQuery) {
    Target target = Target.of(pathAndQuery.split("\\?", 2)[0]);
    return target instanceof Target.Unknown
        ? Problem.unknownPath(pathAndQuery)
        : Problem.methodNotAllowed("the request's method", target.methods());
  }

  /**
   * Returns the problem that a failed request means to its client, and logs what is a fault of the
   * server.
   */
  public static Problem problem(ServiceRequestContext ctx, Throwable thrown) {
    Throwable cause = Exceptions.peel(thrown);
    if (cause instanceof Refusal refusal) {
      LOG.debug("refused: {}", refusal.getMessage());
      return refusal.problem();
    }
    if (cause instanceof HttpStatusException refused) {
      if (refused.getCause() instanceof ContentTooLargeException) {
        return problem(ctx, refused.getCause());
      }
      ServiceCode code = ServiceCode.ofStatus(refused.httpStatus());
      return Problem.of(code, code.meaning());
    }
    if (cause instanceof ContentTooLargeException) {
      return Problem.of(
          ServiceCode.BODY_TOO_LARGE,
          "the body is longer than %d bytes; send fewer candidates a request or raise --max-body"
              .formatted(ctx.maxRequestLength()));
    }
    if (cause instanceof RequestTimeoutException) {
      return Problem.of(
          ServiceCode.REQUEST_TIMEOUT,
          "the request was not here after %d ms, as long as --transfer-timeout allows"
              .formatted(ctx.config().requestTimeoutMillis()));
    }
    if (cause instanceof ShuttingDownException || cause instanceof RejectedExecutionException) {
      return Problem.of(ServiceCode.NOT_READY, "the server stopped before the answer was ready");
    }
    // A session that is lost is a ClosedSessionException, which is a ClosedStreamException.
    if (cause instanceof ClosedStreamException || cause instanceof AbortedStreamException) {
      LOG.debug("{} {} was not sent to its end", ctx.method(), ctx.path(), cause);
      return Problem.of(
          ServiceCode.INVALID_HTTP, "the client hung up before its request was whole");
    }
    LOG.error("{} {} failed", ctx.method(), ctx.path(), cause);
    return Problem.of(
        ServiceCode.INTERNAL_ERROR, "the server failed on this request; its log says why");
  }
}
