package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.nio.file.Path;
import java.util.List;

/** The official binding as an engine. Thread-safe. */
final class JniEngine implements Engine {
  private final OrtHost host;

  JniEngine(OrtHost host) {
    this.host = host;
  }

  @Override
  public String name() {
    return JniEngineProvider.NAME;
  }

  @Override
  public String release() {
    return host.environment().getVersion();
  }

  @Override
  public NativeGraph load(
      byte[] model,
      Path folder,
      SessionSettings settings,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs)
      throws GraphFailure {
    SessionOptions options;
    try {
      options = Sessions.options(settings, folder);
    } catch (OrtException e) {
      throw new GraphFailure(e);
    }
    try {
      OrtSession session = host.environment().createSession(model, options);
      return new JniGraph(host.environment(), options, session, inputs, outputs);
    } catch (OrtException | RuntimeException e) {
      options.close();
      throw new GraphFailure(e);
    } catch (Error e) {
      options.close(); // out of heap, say; the caller may well go on
      throw e;
    }
  }
}
