package dev.twinrank.core.internal.engine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * A platform that the runtime's jar has native libraries for.
 *
 * @param folder the folder of its libraries in the jar, below {@code ai/onnxruntime/native}
 * @param libraries the files to lay out, the runtime itself first
 */
record NativePlatform(String folder, List<String> libraries) {
  /** What the jar holds, for messages. */
  static final String SUPPORTED =
      "ONNX Runtime's jar has natives for Linux with glibc 2.28 or newer (x86-64, aarch64),"
          + " macOS (aarch64) and Windows (x86-64)";

  private static final Path MAPPED_FILES = Path.of("/proc/self/maps");

  NativePlatform {
    libraries = List.copyOf(libraries);
  }

  /**
   * Returns the platform of this process.
   *
   * @throws IllegalStateException if there are no libraries for it
   */
  static NativePlatform current() {
    return of(System.getProperty("os.name"), System.getProperty("os.arch"), mappedFiles());
  }

  /**
   * Returns a platform by what a JVM says of it.
   *
   * @param mappedFiles the files that are mapped into the process, where the system tells; a JVM
   *     that runs on musl has mapped musl's loader
   */
  static NativePlatform of(String osName, String osArch, String mappedFiles) {
    String os = osName.toLowerCase(Locale.ROOT);
    String arch =
        switch (osArch.toLowerCase(Locale.ROOT)) {
          case "amd64", "x86_64", "x64" -> "x64";
          case "aarch64", "arm64" -> "aarch64";
          default -> "";
        };
    if (os.contains("linux") && !arch.isEmpty()) {
      if (mappedFiles.contains("/ld-musl-")) {
        throw unsupported(osName + " on " + osArch + " with musl (Alpine)");
      }
      return unix("linux-" + arch, ".so");
    }
    if ((os.contains("mac") || os.contains("darwin")) && arch.equals("aarch64")) {
      return unix("osx-aarch64", ".dylib");
    }
    if (os.startsWith("windows") && arch.equals("x64")) {
      return new NativePlatform(
          "win-x64",
          List.of("onnxruntime.dll", "onnxruntime4j_jni.dll", "onnxruntime_providers_shared.dll"));
    }
    throw unsupported(osName + " on " + osArch);
  }

  private static NativePlatform unix(String folder, String suffix) {
    return new NativePlatform(
        folder, List.of("libonnxruntime" + suffix, "libonnxruntime4j_jni" + suffix));
  }

  private static IllegalStateException unsupported(String what) {
    return new IllegalStateException(
        "ONNX Runtime cannot be loaded on "
            + what
            + ": "
            + SUPPORTED
            + ". Run on one of these, or build the libraries of the same release for this"
            + " platform and name their folder by -D"
            + Natives.GIVEN_PROPERTY);
  }

  /** Returns the path of a library within the jar. */
  String resource(String library) {
    return "ai/onnxruntime/native/" + folder + "/" + library;
  }

  private static String mappedFiles() {
    try {
      return Files.readString(MAPPED_FILES, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return ""; // not a Linux
    }
  }
}
