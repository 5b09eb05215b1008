package dev.twinrank.server.oip;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import dev.twinrank.server.problem.Dialect;
import dev.twinrank.server.problem.Problem;

/**
 * Tells clients of this protocol over HTTP of problems: by an object with an error. Thread-safe.
 */
public final class OipDialect implements Dialect {
  private static final String ROOT = "/v2";

  /** Makes the dialect. */
  public OipDialect() {}

  @Override
  public boolean isOf(RequestHeaders headers) {
    String path = headers.path();
    return path.equals(ROOT) || path.startsWith(ROOT + "/") || path.startsWith(ROOT + "?");
  }

  @Override
  public AggregatedHttpResponse tell(Problem problem) {
    return problem.response(MediaType.JSON, OipViews.error(problem));
  }
}
