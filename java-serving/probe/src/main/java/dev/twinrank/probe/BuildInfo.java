package dev.twinrank.probe;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** What the build wrote down about itself. */
final class BuildInfo {
  /** The project's version, for example {@code 0.1.0}. */
  static final String VERSION = read().getProperty("version");

  private BuildInfo() {}

  private static Properties read() {
    Properties properties = new Properties();
    try (InputStream in = BuildInfo.class.getResourceAsStream("build.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(
          "build.properties of the probe cannot be read; rebuild the jar", e);
    }
    return properties;
  }
}
