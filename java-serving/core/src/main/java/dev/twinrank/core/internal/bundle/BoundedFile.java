package dev.twinrank.core.internal.bundle;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Reads files without following a link, and no more of them than asked. */
final class BoundedFile {
  private BoundedFile() {}

  /** Opens a file for reading. */
  static FileChannel open(Path file) throws IOException {
    return FileChannel.open(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
  }

  /** Returns whether anything has that name, a dangling link too, or nobody can tell. */
  static boolean mayExist(Path file) {
    if (!Files.notExists(file, LinkOption.NOFOLLOW_LINKS)) {
      return true;
    }
    // Below what is no folder newer JDKs say that nothing exists, older ones that they cannot tell.
    Path folder = file.getParent();
    return folder != null && Files.exists(folder) && !Files.isDirectory(folder);
  }

  /**
   * Returns a file's bytes, at most so many: one more than is allowed tells that there is too much.
   *
   * @throws IOException if it cannot be read, or is no regular file
   */
  static byte[] head(Path file, int most) throws IOException {
    // Asked before opening, because opening a pipe would wait for somebody to write.
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new IOException("it is no regular file");
    }
    try (FileChannel channel = open(file)) {
      ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(channel.size(), most));
      while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
        // read on until the file or the limit ends
      }
      byte[] read = new byte[bytes.flip().remaining()];
      bytes.get(read);
      return read;
    }
  }
}
