package dev.twinrank.server.oip.grpc;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.RequestHeaders;
import dev.twinrank.server.problem.Dialect;
import dev.twinrank.server.problem.Problem;

/** Tells gRPC clients of problems: by a status, and HTTP's own is always 200. Thread-safe. */
public final class GrpcDialect implements Dialect {
  private static final String MEDIA_TYPE = "application/grpc";

  /** Makes the dialect. */
  public GrpcDialect() {}

  @Override
  public boolean isOf(RequestHeaders headers) {
    return isCall(headers);
  }

  /** Returns whether this begins a call whose messages are of protobuf. */
  static boolean isCall(RequestHeaders headers) {
    String type = headers.get(HttpHeaderNames.CONTENT_TYPE, "");
    return type.equals(MEDIA_TYPE)
        || type.equals(MEDIA_TYPE + "+proto")
        || type.startsWith(MEDIA_TYPE + ";");
  }

  @Override
  public AggregatedHttpResponse tell(Problem problem) {
    return GrpcStatus.refuse(problem);
  }
}
