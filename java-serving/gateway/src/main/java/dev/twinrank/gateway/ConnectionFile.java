package dev.twinrank.gateway;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Set;

/**
 * Port and token as {@code {"host", "port", "token", "pid", "protocol"}}, in a file that no one but
 * its owner could ever open: it has its permissions before it has its content.
 */
final class ConnectionFile {
  private static final JsonFactory JSON = new JsonFactory();
  private static final int PROTOCOL = 1;
  private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private final Path file;
  private final byte[] content;

  private ConnectionFile(Path file, byte[] content) {
    this.file = file;
    this.content = content;
  }

  /**
   * Writes the file whole, in place of one that an earlier process left behind.
   *
   * @throws IOException if it cannot be written, or its file system has no permissions to set
   */
  static ConnectionFile write(Path path, String host, int port, String token) throws IOException {
    Path file = path.toAbsolutePath();
    byte[] content = json(host, port, token);
    Path unfinished;
    try {
      unfinished = Files.createTempFile(file.getParent(), ".tmp-", ".gateway", OWNER_ONLY);
    } catch (UnsupportedOperationException e) {
      throw new IOException(file.getParent() + " is on a file system without owner permissions", e);
    }
    try {
      Files.write(unfinished, content);
      Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(unfinished);
    }
    return new ConnectionFile(file, content);
  }

  /** Removes the file, unless another gateway has written its own there since. */
  void remove() throws IOException {
    try {
      if (Arrays.equals(Files.readAllBytes(file), content)) {
        Files.delete(file);
      }
    } catch (NoSuchFileException e) {
      // Somebody tidied up first, which is what was to be done.
      return;
    }
  }

  private static byte[] json(String host, int port, String token) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeStringField("host", host);
      json.writeNumberField("port", port);
      json.writeStringField("token", token);
      json.writeNumberField("pid", ProcessHandle.current().pid());
      json.writeNumberField("protocol", PROTOCOL);
      json.writeEndObject();
    }
    out.write('\n');
    return out.toByteArray();
  }
}
