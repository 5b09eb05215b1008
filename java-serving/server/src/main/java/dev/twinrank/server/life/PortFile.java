package dev.twinrank.server.life;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;

/**
 * The port in a file, for whoever started the server with port 0. It is there, whole, only while
 * the server is ready.
 */
public final class PortFile implements AutoCloseable {
  private final Path file;
  private final String content;

  private PortFile(Path file, String content) {
    this.file = file;
    this.content = content;
  }

  /**
   * Removes the file that a server which was killed has left behind, so that nobody takes its port
   * for that of the one that is starting.
   *
   * @throws StartException if it cannot be removed
   */
  public static void clear(Path file) {
    try {
      // Nothing but a file: an empty directory would go too.
      if (Files.isRegularFile(file)) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new StartException(List.of("--port-file " + file + " cannot be removed: " + e), e);
    }
  }

  /**
   * Writes {@code <port>} and LF.
   *
   * @throws StartException if the file cannot be written
   */
  public static PortFile write(Path file, int port) {
    Path target = file.toAbsolutePath();
    String content = port + "\n";
    try {
      Path unfinished = Files.createTempFile(target.getParent(), ".tmp-", ".port");
      try {
        Files.writeString(unfinished, content);
        Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(unfinished);
      }
    } catch (IOException e) {
      throw new StartException(List.of("--port-file " + file + " cannot be written: " + e), e);
    }
    return new PortFile(target, content);
  }

  /** Removes the file, unless another server has written its own there since. Idempotent. */
  @Override
  public void close() {
    try {
      // As bytes: what another has written there need not be text.
      if (Arrays.equals(Files.readAllBytes(file), content.getBytes(StandardCharsets.US_ASCII))) {
        Files.delete(file);
      }
    } catch (NoSuchFileException e) {
      // Somebody tidied up first, which is what was to be done.
      return;
    } catch (IOException e) {
      throw new UncheckedIOException("the port file " + file + " cannot be removed", e);
    }
  }
}
