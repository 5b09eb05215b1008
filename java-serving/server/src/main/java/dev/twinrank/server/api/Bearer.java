package dev.twinrank.server.api;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.DecoratingHttpServiceFunction;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.ServiceCode;
import java.util.Set;

/**
 * Lets in who brings a token; whoever asks for health or for the description of the API needs none.
 * Thread-safe.
 *
 * <p>It answers before a body is read, with 401, which gRPC clients take for UNAUTHENTICATED.
 */
public final class Bearer implements DecoratingHttpServiceFunction {
  /** What is the same in every server, and what probes ask that have no secrets. */
  private static final Set<String> OPEN =
      Set.of(
          "/health/live",
          "/health/ready",
          "/v2/health/live",
          "/v2/health/ready",
          "/grpc.health.v1.Health/Check",
          "/inference.GRPCInferenceService/ServerLive",
          "/inference.GRPCInferenceService/ServerReady",
          "/openapi.json",
          "/docs");

  private static final String CHALLENGE = "Bearer realm=\"twinrank\"";

  private final Tokens tokens;
  private final Runnable refused;

  /**
   * Guards a listener.
   *
   * @param refused called for each request that is refused
   */
  public Bearer(Tokens tokens, Runnable refused) {
    this.tokens = tokens;
    this.refused = refused;
  }

  @Override
  public HttpResponse serve(HttpService next, ServiceRequestContext ctx, HttpRequest request)
      throws Exception {
    String given = request.headers().get(HttpHeaderNames.AUTHORIZATION);
    if (OPEN.contains(ctx.path()) || tokens.accepts(given)) {
      return next.serve(ctx, request);
    }
    refused.run();
    return Problem.of(
            ServiceCode.UNAUTHORIZED,
            given == null
                ? "there is no header Authorization; send 'Authorization: Bearer <token>'"
                : "the header Authorization does not bring a token of this server; send 'Bearer <token>'")
        .header(
            HttpHeaderNames.WWW_AUTHENTICATE,
            given == null ? CHALLENGE : CHALLENGE + ", error=\"invalid_token\"")
        .response()
        .toHttpResponse();
  }
}
