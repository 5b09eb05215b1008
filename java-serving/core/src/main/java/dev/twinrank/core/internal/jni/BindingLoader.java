package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OrtEnvironment;
import dev.twinrank.core.internal.engine.NativeFailure;
import dev.twinrank.core.internal.engine.Natives;
import dev.twinrank.core.internal.engine.RoomyThread;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * Loads the official binding from files that are gone when it is loaded.
 *
 * <p>The binding takes a folder of libraries from a system property, which it reads once, while its
 * first class is initialised. The property is the process's and is taken back at once: another
 * class loader's binding, which would read it too, must not find a folder that is no more.
 */
final class BindingLoader {
  // Interned, so that copies of this class in other class loaders wait for each other too.
  private static final Object ONE_AT_A_TIME = "dev.twinrank.loads.the.binding".intern();

  // Whoever set one of these arranges the loading; none of them means a folder for both libraries.
  private static final Set<String> ARRANGED =
      Set.of(
          "onnxruntime.native.onnxruntime.path",
          "onnxruntime.native.onnxruntime.skip",
          "onnxruntime.native.onnxruntime4j_jni.path",
          "onnxruntime.native.onnxruntime4j_jni.skip");

  private BindingLoader() {}

  /**
   * Returns the binding's environment, made by this call or by somebody before it.
   *
   * @throws IllegalStateException if the binding cannot be loaded
   */
  static OrtEnvironment load() {
    synchronized (ONE_AT_A_TIME) {
      if (ARRANGED.stream().anyMatch(name -> System.getProperty(name) != null)
          || Natives.isMoreThanTheRuntime()) {
        return start("where the properties onnxruntime.native.* or the jar say");
      }
      Natives natives = Natives.prepare();
      String before = System.getProperty(Natives.BINDING_PROPERTY);
      System.setProperty(Natives.BINDING_PROPERTY, natives.folder().toString());
      try {
        return start(natives.folder().toString());
      } finally {
        if (before == null) {
          System.clearProperty(Natives.BINDING_PROPERTY);
        } else {
          System.setProperty(Natives.BINDING_PROPERTY, before);
        }
        natives.discard();
        removeEmptyFolder();
      }
    }
  }

  private static OrtEnvironment start(String where) {
    try {
      return RoomyThread.call(OrtEnvironment::getEnvironment);
    } catch (LinkageError | RuntimeException e) {
      throw NativeFailure.of(e, where);
    }
  }

  // The binding makes a folder in java.io.tmpdir and leaves its removal to the end of the process,
  // which a killed one has not got. Only an empty folder can be removed so.
  private static void removeEmptyFolder() {
    try {
      Field field =
          Class.forName("ai.onnxruntime.OnnxRuntime", false, OrtEnvironment.class.getClassLoader())
              .getDeclaredField("tempDirectory");
      field.setAccessible(true);
      if (field.get(null) instanceof Path folder) {
        Files.deleteIfExists(folder);
      }
    } catch (java.io.IOException
        | ReflectiveOperationException
        | RuntimeException
        | LinkageError e) {
      // Then an empty folder stays.
      return;
    }
  }
}
