package dev.twinrank.server.problem;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.RequestHeaders;

/** How a protocol's clients are told of a problem. Thread-safe. */
public interface Dialect {
  /** Returns whether the client that sent this understands it. */
  boolean isOf(RequestHeaders headers);

  /** Returns the answer that is nothing but a problem. */
  AggregatedHttpResponse tell(Problem problem);
}
