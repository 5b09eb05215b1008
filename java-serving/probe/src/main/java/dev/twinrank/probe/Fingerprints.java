package dev.twinrank.probe;

import ai.onnxruntime.OrtEnvironment;
import dev.twinrank.core.internal.engine.Natives;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TimeZone;

/**
 * What may make one JVM answer otherwise than another: which runtime it loaded, from which files,
 * and how it was started. Names of files and no folders; nothing of the environment. Thread-safe.
 */
final class Fingerprints {
  private static final Path CPU = Path.of("/proc/cpuinfo");
  private static final String UNKNOWN = "unknown";
  private static final int CHUNK = 1 << 16;
  private static final Object LOCK = new Object();

  // The files do not change while this process has them loaded.
  private static Map<String, String> files;

  private Fingerprints() {}

  /**
   * Begins to digest the runtime's files, unless that was done; it takes a fraction of a second and
   * the caller has other things to do.
   */
  static void begin() {
    Thread thread = new Thread(Fingerprints::begun, "twinrank-fingerprints");
    thread.setDaemon(true);
    thread.start();
  }

  private static Map<String, String> begun() {
    synchronized (LOCK) {
      if (files == null) {
        files = ofFiles();
      }
      return files;
    }
  }

  /** Returns facts by their stable names. */
  static Map<String, String> get() {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("charset", Charset.defaultCharset().name());
    facts.put("locale", Locale.getDefault().toLanguageTag());
    facts.put("time_zone", TimeZone.getDefault().getID());
    facts.put("cpu", cpu());
    facts.putAll(begun());
    return facts;
  }

  private static Map<String, String> ofFiles() {
    Map<String, String> facts = new LinkedHashMap<>();
    add(facts, "runtime_jar", jar());
    add(facts, "native_library", library());
    return facts;
  }

  private static void add(Map<String, String> facts, String name, Optional<URL> file) {
    facts.put(name, file.map(Fingerprints::name).orElse(UNKNOWN));
    facts.put(name + "_sha256", file.map(Fingerprints::digest).orElse(UNKNOWN));
  }

  // Whoever set one of these arranged where that one library comes from.
  private static Optional<URL> library() {
    boolean arranged =
        System.getProperty("onnxruntime.native.onnxruntime.path") != null
            || System.getProperty("onnxruntime.native.onnxruntime.skip") != null;
    return arranged ? Optional.empty() : Optional.of(Natives.origin());
  }

  private static Optional<URL> jar() {
    CodeSource source = OrtEnvironment.class.getProtectionDomain().getCodeSource();
    return Optional.ofNullable(source).map(CodeSource::getLocation);
  }

  private static String name(URL file) {
    String path = file.getPath();
    return path.substring(path.lastIndexOf('/') + 1);
  }

  private static String digest(URL file) {
    try (InputStream in = open(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] chunk = new byte[CHUNK];
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        digest.update(chunk, 0, read);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (IOException | NoSuchAlgorithmException | URISyntaxException e) {
      return UNKNOWN;
    }
  }

  private static InputStream open(URL file) throws IOException, URISyntaxException {
    if (file.getProtocol().equals("file")) {
      return Files.newInputStream(Path.of(new URI(file.toString())));
    }
    URLConnection connection = file.openConnection();
    connection.setUseCaches(false); // a cached jar would stay open
    return connection.getInputStream();
  }

  private static String cpu() {
    try {
      return Files.readString(CPU, StandardCharsets.ISO_8859_1)
          .lines()
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(UNKNOWN);
    } catch (IOException e) {
      return UNKNOWN; // not a Linux
    }
  }
}
