package dev.twinrank.core.internal.engine;

import java.io.IOException;

/** Says in words of this library why the native runtime did not load. */
public final class NativeFailure {
  /** What helps when a folder cannot be used. */
  static final String REMEDY =
      "Name a folder that exists, can be written to and is not mounted noexec by -D"
          + Natives.FOLDER_PROPERTY
          + "=..., or one that holds the libraries already by -D"
          + Natives.GIVEN_PROPERTY
          + "=...";

  private NativeFailure() {}

  /**
   * Returns what to throw for what loading threw.
   *
   * @param where the folder that the libraries were loaded from
   */
  public static IllegalStateException of(Throwable failure, String where) {
    return new IllegalStateException(
        "ONNX Runtime could not be loaded from " + where + ": " + explain(innermost(failure)),
        failure);
  }

  private static String explain(Throwable cause) {
    String said = String.valueOf(cause.getMessage());
    if (said.contains("already loaded in another classloader")) {
      return said
          + ". One file of a library serves one class loader. Let one class loader that all"
          + " applications share load onnxruntime and twinrank, or do not set "
          + Natives.GIVEN_PROPERTY
          + " and "
          + Natives.BINDING_PROPERTY
          + ", so that each extracts files of its own";
    }
    if (said.contains("VERS_") || said.contains("mismatch between the ORT class files")) {
      return said
          + ". Another release of ONNX Runtime is in this process, or in the folder: a library"
          + " of one release does not work with another's classes. Keep one release";
    }
    if (cause instanceof IllegalCallerException) {
      return said
          + ". Start java with --enable-native-access=ALL-UNNAMED, or with"
          + " --enable-native-access=com.microsoft.onnxruntime where it is a module";
    }
    if (said.contains("GLIBC_") || said.contains("GLIBCXX_") || said.contains("CXXABI_")) {
      return said + ". This system's C library is too old or another: " + NativePlatform.SUPPORTED;
    }
    if (said.contains("failed to map segment") || said.contains("Operation not permitted")) {
      return said + ". The folder is mounted noexec. " + REMEDY;
    }
    if (cause instanceof IOException) {
      return said
          + ". The official binding makes a folder in java.io.tmpdir ("
          + System.getProperty("java.io.tmpdir")
          + ") even where it needs none: let it exist and be writable; it may be mounted noexec";
    }
    return cause + ". " + NativePlatform.SUPPORTED;
  }

  private static Throwable innermost(Throwable failure) {
    Throwable cause = failure;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }
}
