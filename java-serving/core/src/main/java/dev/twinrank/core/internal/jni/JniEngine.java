package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.OrtSession.SessionOptions.ExecutionMode;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.nio.file.Path;
import java.util.List;

/** The official binding as an engine. Thread-safe. */
final class JniEngine implements Engine {
  private static final String EXTERNAL_DATA_FOLDER =
      "session.model_external_initializers_file_folder_path";

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
      options = options(settings);
    } catch (OrtException e) {
      throw new GraphFailure(e);
    }
    try {
      options.addConfigEntry(EXTERNAL_DATA_FOLDER, folder.toAbsolutePath().toString());
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

  private static SessionOptions options(SessionSettings settings) throws OrtException {
    SessionOptions options = new SessionOptions();
    try {
      options.setOptimizationLevel(
          switch (settings.optimization()) {
            case NONE -> OptLevel.NO_OPT;
            case BASIC -> OptLevel.BASIC_OPT;
            case EXTENDED -> OptLevel.EXTENDED_OPT;
            case ALL -> OptLevel.ALL_OPT;
          });
      options.setExecutionMode(
          settings.parallel() ? ExecutionMode.PARALLEL : ExecutionMode.SEQUENTIAL);
      options.setIntraOpNumThreads(settings.intraOpThreads());
      options.setInterOpNumThreads(settings.interOpThreads());
      options.setCPUArenaAllocator(settings.cpuMemArena());
      options.setMemoryPatternOptimization(settings.memPattern());
      options.addConfigEntry("session.disable_prepacking", settings.prepacking() ? "0" : "1");
      options.addConfigEntry("session.intra_op.allow_spinning", "0");
      options.addConfigEntry("session.inter_op.allow_spinning", "0");
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL);
      return options;
    } catch (OrtException | RuntimeException e) {
      options.close();
      throw e;
    }
  }
}
