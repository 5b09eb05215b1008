package dev.twinrank.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * The port in a file, for whoever started the server with port 0. It is there, whole, only while
 * the server is ready.
 */
final class PortFile implements AutoCloseable {
  private final Path file;

  private PortFile(Path file) {
    this.file = file;
  }

  /**
   * Writes {@code <port>} and LF.
   *
   * @throws StartException if the file cannot be written
   */
  static PortFile write(Path file, int port) {
    Path target = file.toAbsolutePath();
    try {
      Path unfinished = Files.createTempFile(target.getParent(), ".tmp-", ".port");
      try {
        Files.writeString(unfinished, port + "\n");
        Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(unfinished);
      }
    } catch (IOException e) {
      throw new StartException(List.of("--port-file " + file + " cannot be written: " + e), e);
    }
    return new PortFile(target);
  }

  @Override
  public void close() {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException("the port file " + file + " cannot be removed", e);
    }
  }
}
