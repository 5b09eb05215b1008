package dev.twinrank.core.internal.engine;

/** The runtime refused a graph, or failed to run it. */
public final class GraphFailure extends Exception {
  private static final long serialVersionUID = 1L;

  /** Wraps what the binding threw. */
  public GraphFailure(Throwable cause) {
    super(cause.getMessage(), cause);
  }

  /** Says what the runtime said. */
  public GraphFailure(String message) {
    super(message);
  }
}
