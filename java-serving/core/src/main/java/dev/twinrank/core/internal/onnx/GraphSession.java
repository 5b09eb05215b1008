package dev.twinrank.core.internal.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.Slate;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A graph that is ready to run. Thread-safe.
 *
 * <p>Closing a session of ONNX Runtime while it runs crashes the process, so runs hold a read lock
 * and closing takes the write lock.
 */
public final class GraphSession implements AutoCloseable {
  private static final String EXTERNAL_DATA_FOLDER =
      "session.model_external_initializers_file_folder_path";

  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private final OrtEnvironment environment;
  private final SessionOptions options;
  private final OrtSession session;
  private final List<Block> blocks;
  private final List<Output> outputs;
  private final BlockingQueue<Workspace> idle =
      new ArrayBlockingQueue<>(2 * Runtime.getRuntime().availableProcessors());
  private boolean closed;

  private GraphSession(
      OrtEnvironment environment,
      SessionOptions options,
      OrtSession session,
      List<Block> blocks,
      List<Output> outputs) {
    this.environment = environment;
    this.options = options;
    this.session = session;
    this.blocks = List.copyOf(blocks);
    this.outputs = List.copyOf(outputs);
  }

  /**
   * Creates a session from the bytes of a model.
   *
   * @param model the very bytes that were checked
   * @param folder where {@code model.onnx.data} lies, if the model has one
   * @throws GraphFailure if the runtime refuses the graph
   */
  public static GraphSession create(
      byte[] model, Path folder, SessionSettings settings, List<Block> blocks, List<Output> outputs)
      throws GraphFailure {
    OrtEnvironment environment = OrtHost.get().environment();
    SessionOptions options;
    try {
      options = settings.toOptions();
    } catch (OrtException e) {
      throw new GraphFailure(e);
    }
    try {
      options.addConfigEntry(EXTERNAL_DATA_FOLDER, folder.toAbsolutePath().toString());
      OrtSession session = environment.createSession(model, options);
      return new GraphSession(environment, options, session, blocks, outputs);
    } catch (OrtException | RuntimeException e) {
      options.close();
      throw new GraphFailure(e);
    }
  }

  /**
   * Runs the graph on a slate; on one of no candidates it does not run, and every output is empty.
   *
   * @return the values of each output, little-endian, in the order of the outputs
   * @throws GraphFailure if the runtime fails
   * @throws IllegalStateException if this session is closed
   */
  public ByteBuffer[] run(Slate slate) throws GraphFailure {
    lock.readLock().lock();
    try {
      if (closed) {
        throw new IllegalStateException("this model is closed; open it again to score");
      }
      if (slate.candidates() == 0) {
        ByteBuffer[] none = new ByteBuffer[outputs.size()];
        Arrays.fill(none, ByteBuffer.allocate(0));
        return none;
      }
      Workspace workspace = idle.poll();
      if (workspace == null) {
        workspace = new Workspace(environment, blocks, outputs);
      }
      ByteBuffer[] results = run(workspace, slate);
      giveBack(workspace);
      return results;
    } finally {
      lock.readLock().unlock();
    }
  }

  @SuppressWarnings("ReturnValueIgnored") // a full queue leaves the workspace to the collector
  private void giveBack(Workspace workspace) {
    idle.offer(workspace);
  }

  private ByteBuffer[] run(Workspace workspace, Slate slate) throws GraphFailure {
    Map<String, OnnxTensor> inputs = Map.of();
    Map<String, OnnxTensor> results = Map.of();
    try {
      inputs = workspace.inputs(slate);
      results = workspace.outputs(slate.candidates());
      session.run(inputs, results).close();
      return workspace.results();
    } catch (OrtException e) {
      throw new GraphFailure(e);
    } finally {
      Workspace.close(results);
      Workspace.close(inputs);
    }
  }

  /** Waits for running calls, then frees the session. Idempotent. */
  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        idle.clear();
        session.close();
        options.close();
      }
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime could not close a session", e);
    } finally {
      lock.writeLock().unlock();
    }
  }
}
