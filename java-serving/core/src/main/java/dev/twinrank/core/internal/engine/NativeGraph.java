package dev.twinrank.core.internal.engine;

/**
 * A session. Any number of threads may run workspaces of their own at once, but {@link #close} must
 * not meet a run: whoever holds a graph counts its users first.
 */
public interface NativeGraph extends AutoCloseable {

  /** Makes an empty workspace; its caller closes it, before or after the graph. */
  Workspace workspace();

  /** Frees the session. Idempotent. */
  @Override
  void close();
}
