package dev.twinrank.core.internal.engine;

import java.nio.ByteBuffer;

/**
 * Native memory for one run at a time: a direct little-endian buffer for each input and each
 * output, kept between runs and bound to the session's inputs and outputs. Not thread-safe.
 *
 * <p>Buffers stay readable and writable for as long as they are reachable, also after {@link
 * #close}, so that a stale reference can never crash the process.
 */
public interface Workspace extends AutoCloseable {

  /**
   * Makes room for a slate and binds it. Cheap when the number of candidates is the last one. What
   * the inputs held is lost when it is another.
   *
   * @param candidates at least 1
   * @throws GraphFailure if a tensor would not fit a buffer, or the runtime refuses one
   */
  void resize(int candidates) throws GraphFailure;

  /** Returns the number of candidates of the last {@link #resize}; 0 before the first. */
  int candidates();

  /**
   * Returns an input's memory: its values for {@link #candidates} lie between position 0 and the
   * limit, and its capacity may be more. The same object until the next {@link #resize}, which may
   * move the limit of this one.
   */
  ByteBuffer input(int index);

  /** Returns an output's memory, in the same way; a run overwrites it. */
  ByteBuffer output(int index);

  /**
   * Runs the graph from the inputs into the outputs.
   *
   * @param stop what can end the run between two nodes, or null
   * @throws GraphFailure if the runtime fails, or was stopped
   */
  void run(Stop stop) throws GraphFailure;

  /**
   * Returns how many bytes of native memory the buffers hold: of each tensor at most {@link
   * TensorSpec#capacity} of the largest {@link #resize}, which is what was asked of a budget
   * before.
   */
  long bytes();

  /** Frees what is native but the buffers, which the collector frees. Idempotent. */
  @Override
  void close();

  /**
   * Ends a run from another thread.
   *
   * <p>The engine hands {@link #attach} an action that ends the run at the next node; it may be
   * called from any thread, more than once, and does nothing after {@link #detach} has returned.
   */
  interface Stop {

    /**
     * Called before the run starts.
     *
     * @return false if it must not start
     */
    boolean attach(Runnable terminate);

    /** Called when the run has ended, before what the action uses is freed. */
    void detach();
  }
}
