package dev.twinrank.core.internal.engine;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;

/**
 * The native libraries of the runtime's jar, laid where this process can load them: in a folder
 * that only its user can enter, and only until they are loaded. Thread-safe.
 *
 * <p>The binding would extract them too, but leaves 28 MB behind when the process is killed. A
 * loaded library needs no file on Linux and macOS, so here {@link #discard} removes the files as
 * soon as the libraries are loaded; what a process leaves that dies in the milliseconds before, the
 * next one removes.
 */
public final class Natives {
  /** Names the folder to extract into; otherwise that is {@code java.io.tmpdir}. */
  public static final String FOLDER_PROPERTY = "twinrank.native.dir";

  /** Names a folder that holds the libraries already, so that nothing is extracted. */
  public static final String GIVEN_PROPERTY = "twinrank.native.path";

  /** What the official binding calls {@link #GIVEN_PROPERTY}. */
  public static final String BINDING_PROPERTY = "onnxruntime.native.path";

  private static final String BINDING = "ai.onnxruntime.OrtEnvironment";
  private static final int CHUNK = 1 << 16;

  private final Path folder;
  private final String runtime;
  private final PrivateFolder extracted;

  private Natives(Path folder, String runtime, PrivateFolder extracted) {
    this.folder = folder;
    this.runtime = runtime;
    this.extracted = extracted;
  }

  /**
   * Finds the libraries, or extracts them from the jar that the binding's classes come from.
   *
   * @throws IllegalStateException if there are none for this platform or they cannot be written;
   *     the message says where, why, and what to do
   */
  public static Natives prepare() {
    String given = System.getProperty(GIVEN_PROPERTY, System.getProperty(BINDING_PROPERTY));
    if (given != null) {
      return given(Path.of(given).toAbsolutePath());
    }
    NativePlatform platform = NativePlatform.current();
    boolean chosen = System.getProperty(FOLDER_PROPERTY) != null;
    Path parent =
        Path.of(System.getProperty(chosen ? FOLDER_PROPERTY : "java.io.tmpdir")).toAbsolutePath();
    try {
      PrivateFolder made = PrivateFolder.create(parent);
      try {
        for (String library : platform.libraries()) {
          extract(platform, library, made.path());
        }
        return new Natives(made.path(), platform.libraries().get(0), made);
      } catch (IOException | RuntimeException e) {
        made.remove();
        throw e;
      }
    } catch (IOException e) {
      throw new IllegalStateException(
          "ONNX Runtime's native libraries cannot be written to "
              + parent
              + ", the folder that "
              + (chosen ? FOLDER_PROPERTY : "java.io.tmpdir")
              + " names ("
              + reason(e)
              + "). "
              + NativeFailure.REMEDY,
          e);
    }
  }

  // Which of them are wanted is the platform's; on one that is not ours the user knows better.
  private static Natives given(Path folder) {
    String runtime = System.mapLibraryName("onnxruntime");
    List<String> missing =
        List.of(runtime, System.mapLibraryName("onnxruntime4j_jni")).stream()
            .filter(library -> !Files.isReadable(folder.resolve(library)))
            .toList();
    if (!missing.isEmpty()) {
      throw new IllegalStateException(
          "the folder "
              + folder
              + ", which "
              + (System.getProperty(GIVEN_PROPERTY) != null ? GIVEN_PROPERTY : BINDING_PROPERTY)
              + " names, has no readable "
              + String.join(" and no ", missing)
              + ". Copy both from ai/onnxruntime/native in the jar of the very release that is on"
              + " the class path, or leave the property out");
    }
    return new Natives(folder, runtime, null);
  }

  /**
   * Returns where the runtime's library comes from: the file of a folder that was given, or an
   * entry of the jar. Loads and extracts nothing.
   *
   * @throws IllegalStateException if there is none for this platform
   */
  public static URL origin() {
    String given = System.getProperty(GIVEN_PROPERTY, System.getProperty(BINDING_PROPERTY));
    if (given != null) {
      try {
        return Path.of(given)
            .toAbsolutePath()
            .resolve(System.mapLibraryName("onnxruntime"))
            .toUri()
            .toURL();
      } catch (MalformedURLException e) {
        throw new IllegalStateException("the folder " + given + " has no URL", e);
      }
    }
    NativePlatform platform = NativePlatform.current();
    return resource(platform, platform.libraries().get(0));
  }

  /** Returns the folder that holds the libraries. */
  public Path folder() {
    return folder;
  }

  /** Returns the path of the runtime itself, for {@code dlopen}. */
  public Path runtime() {
    return folder.resolve(runtime);
  }

  /**
   * Removes what was extracted; what the user gave stays. To be called when the libraries are
   * loaded, or could not be. Idempotent; does not throw.
   *
   * <p>Windows keeps the file of a loaded library: there the folder stays until the process has
   * ended, and the next start removes it.
   */
  public void discard() {
    if (extracted != null) {
      extracted.remove();
    }
  }

  /** Returns whether the jar brings libraries that this class does not know of, as for GPUs. */
  public static boolean isMoreThanTheRuntime() {
    NativePlatform platform = NativePlatform.current();
    String cuda = platform.libraries().get(0).replace("onnxruntime", "onnxruntime_providers_cuda");
    return anchor().getResource("/" + platform.resource(cuda)) != null;
  }

  private static void extract(NativePlatform platform, String library, Path folder)
      throws IOException {
    URL resource = resource(platform, library);
    URLConnection connection = resource.openConnection();
    connection.setUseCaches(false); // a cached jar would stay open
    Path file = folder.resolve(library);
    long written;
    try (InputStream in = connection.getInputStream();
        FileChannel out = PrivateFolder.newFile(file)) {
      written = copy(in, out);
    }
    JarEntry entry = connection instanceof JarURLConnection jar ? jar.getJarEntry() : null;
    long expected = entry == null || entry.getCrc() < 0 ? written : entry.getCrc();
    if (written != expected || checksum(file) != expected) {
      throw new IOException(
          library + " is not what " + resource + " holds: the jar or the disk is damaged");
    }
  }

  private static URL resource(NativePlatform platform, String library) {
    URL resource = anchor().getResource("/" + platform.resource(library));
    if (resource == null) {
      throw new IllegalStateException(
          "the jar of ONNX Runtime on the class path has no "
              + platform.resource(library)
              + ", which this platform needs; depend on com.microsoft.onnxruntime:onnxruntime, and"
              + " do not strip its natives");
    }
    return resource;
  }

  private static long copy(InputStream in, FileChannel out) throws IOException {
    CRC32 sum = new CRC32();
    byte[] chunk = new byte[CHUNK];
    for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
      sum.update(chunk, 0, read);
      ByteBuffer bytes = ByteBuffer.wrap(chunk, 0, read);
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
    }
    return sum.getValue();
  }

  private static long checksum(Path file) throws IOException {
    CRC32 sum = new CRC32();
    try (InputStream in = Files.newInputStream(file)) {
      byte[] chunk = new byte[CHUNK];
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        sum.update(chunk, 0, read);
      }
    }
    return sum.getValue();
  }

  // Found by the class and not initialised: its initialiser would load the libraries.
  private static Class<?> anchor() {
    try {
      return Class.forName(BINDING, false, Natives.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(
          "com.microsoft.onnxruntime:onnxruntime is not on the class path or module path; twinrank"
              + " needs it",
          e);
    }
  }

  private static String reason(IOException failure) {
    return failure.getClass().getSimpleName() + ": " + failure.getMessage();
  }
}
