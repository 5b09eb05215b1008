package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.OrtSession.SessionOptions.ExecutionMode;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import dev.twinrank.core.internal.engine.SessionSettings;
import java.nio.file.Path;

/** What every session of the official binding is made with, a bundle's and any other. Static. */
public final class Sessions {
  private static final String EXTERNAL_DATA_FOLDER =
      "session.model_external_initializers_file_folder_path";

  private Sessions() {}

  /**
   * Returns the environment of this process's runtime.
   *
   * @throws IllegalStateException if it cannot be loaded or cannot be made safe
   */
  public static OrtEnvironment environment() {
    return OrtHost.get().environment();
  }

  /**
   * Makes options, which their caller closes after the session.
   *
   * @param folder where external data lie, if the model has any
   */
  public static SessionOptions options(SessionSettings settings, Path folder) throws OrtException {
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
      options.addConfigEntry(EXTERNAL_DATA_FOLDER, folder.toAbsolutePath().toString());
      return options;
    } catch (OrtException | RuntimeException e) {
      options.close();
      throw e;
    }
  }
}
