package dev.twinrank.core.internal.onnx;

/** The runtime refused a graph, or failed to run it. */
public final class GraphFailure extends Exception {
  private static final long serialVersionUID = 1L;

  GraphFailure(Throwable cause) {
    super(cause.getMessage(), cause);
  }
}
