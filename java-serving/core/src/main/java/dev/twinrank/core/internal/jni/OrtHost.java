package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtLoggingLevel;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteOrder;

/**
 * The runtime of this process, made safe to shut down. Thread-safe.
 *
 * <p>ONNX Runtime frees its native environment in a shutdown hook of its own, which runs beside
 * threads that still load, fail or close sessions, and the process crashes. The environment is
 * reference-counted, so one reference more, never given back, keeps it alive until the process has
 * ended. The reference is taken through private names of the release that is pinned; if they are
 * gone, nothing is opened.
 */
final class OrtHost {
  private static OrtHost instance;

  private final OrtEnvironment environment;

  private OrtHost(OrtEnvironment environment) {
    this.environment = environment;
  }

  /**
   * Returns the one runtime.
   *
   * @throws IllegalStateException if it cannot be loaded or cannot be made safe
   */
  static synchronized OrtHost get() {
    if (instance == null) {
      instance = start();
    }
    return instance;
  }

  OrtEnvironment environment() {
    return environment;
  }

  private static OrtHost start() {
    if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      throw new IllegalStateException(
          "this machine is big-endian; packed blocks are little-endian");
    }
    OrtEnvironment environment = BindingLoader.load();
    keepAlive(environment);
    return new OrtHost(environment);
  }

  private static void keepAlive(OrtEnvironment environment) {
    try {
      Field api = Class.forName("ai.onnxruntime.OnnxRuntime").getDeclaredField("ortApiHandle");
      api.setAccessible(true);
      Method create =
          OrtEnvironment.class.getDeclaredMethod(
              "createHandle", long.class, int.class, String.class);
      create.setAccessible(true);
      Field handle = OrtEnvironment.class.getDeclaredField("nativeHandle");
      handle.setAccessible(true);
      long reference =
          (long)
              create.invoke(
                  null,
                  api.getLong(null),
                  OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING.getValue(),
                  "twinrank");
      if (reference != handle.getLong(environment)) {
        throw new IllegalStateException(
            "ONNX Runtime gave a second native environment where it should have counted a reference");
      }
    } catch (ReflectiveOperationException | RuntimeException e) {
      throw new IllegalStateException(
          "ONNX Runtime "
              + environment.getVersion()
              + " cannot be kept alive until this process ends ("
              + e
              + "), so that stopping the process could crash it. Use the release that this version"
              + " of twinrank is built with; if the runtime is a module of yours, open its package"
              + " ai.onnxruntime to twinrank",
          e);
    }
  }
}
