package dev.twinrank.server.ops;

import io.prometheus.metrics.tracer.common.SpanContext;

/**
 * Lets what is counted for a recorded trace point to it, in the OpenMetrics exposition.
 * Thread-safe.
 */
final class Exemplars implements SpanContext {
  private static final ThreadLocal<TraceContext> CURRENT = new ThreadLocal<>();

  /** Runs what counts a request; only a trace that somebody keeps is worth pointing to. */
  void during(TraceContext trace, Runnable counting) {
    if (!trace.sampled()) {
      counting.run();
      return;
    }
    CURRENT.set(trace);
    try {
      counting.run();
    } finally {
      CURRENT.remove();
    }
  }

  @Override
  public String getCurrentTraceId() {
    TraceContext trace = CURRENT.get();
    return trace == null ? null : trace.traceId();
  }

  @Override
  public String getCurrentSpanId() {
    TraceContext trace = CURRENT.get();
    return trace == null ? null : trace.spanId();
  }

  @Override
  public boolean isCurrentSpanSampled() {
    return CURRENT.get() != null;
  }

  @Override
  public void markCurrentSpanAsExemplar() {
    // The tracer has no use for it: what is recorded is decided when the request comes.
  }
}
