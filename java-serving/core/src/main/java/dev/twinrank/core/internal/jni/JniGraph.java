package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import java.util.List;

/** A session of the official binding. */
final class JniGraph implements NativeGraph {
  private final OrtEnvironment environment;
  private final SessionOptions options;
  private final OrtSession session;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private boolean closed;

  JniGraph(
      OrtEnvironment environment,
      SessionOptions options,
      OrtSession session,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs) {
    this.environment = environment;
    this.options = options;
    this.session = session;
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
  }

  @Override
  public Workspace workspace() {
    return new JniWorkspace(environment, session, inputs, outputs);
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime could not close a session", e);
    } finally {
      options.close();
    }
  }
}
