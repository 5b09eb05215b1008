package dev.twinrank.server.ops;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Files of whole lines in a folder, the oldest of which go when there are too many bytes. One
 * writer a folder; not thread-safe.
 *
 * <p>A file is forced to the disk when it is full and when this is closed; what a crash of the
 * machine takes is at most the last file. Lines of a failed write are taken back, so that a full
 * disk leaves no half of one.
 */
final class LogFiles implements Closeable {
  private static final String PREFIX = "requests-";
  private static final String SUFFIX = ".jsonl";
  private static final int FILES = 8;
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss").withZone(ZoneOffset.UTC);

  private final Path folder;
  private final long maxBytes;
  private FileChannel current;
  private int sequence;

  /**
   * Makes a log in a folder.
   *
   * @param maxBytes how much all files may hold together, about
   * @throws IOException if the folder cannot be made
   */
  LogFiles(Path folder, long maxBytes) throws IOException {
    this.folder = Files.createDirectories(folder);
    this.maxBytes = maxBytes;
  }

  /**
   * Writes a line whole, or not at all.
   *
   * @param line ends with LF
   */
  void write(byte[] line) throws IOException {
    if (current != null && current.size() + line.length > Math.max(1, maxBytes / FILES)) {
      close();
    }
    if (current == null) {
      current = open();
      tidy(line.length);
    }
    long before = current.size();
    ByteBuffer bytes = ByteBuffer.wrap(line);
    try {
      while (bytes.hasRemaining()) {
        int unused = current.write(bytes);
      }
    } catch (IOException e) {
      takeBack(before, e);
      throw e;
    }
  }

  private void takeBack(long before, IOException cause) {
    try {
      FileChannel unused = current.truncate(before);
    } catch (IOException e) {
      cause.addSuppressed(e);
      current = null; // a file that cannot be mended is not written to again
    }
  }

  private FileChannel open() throws IOException {
    String name = PREFIX + TIME.format(Instant.now()) + "-%d-%04d" + SUFFIX;
    Path file = folder.resolve(name.formatted(ProcessHandle.current().pid(), sequence++));
    return FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.APPEND);
  }

  /** Removes the oldest files until one more fits. */
  private void tidy(long line) throws IOException {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, PREFIX + "*" + SUFFIX)) {
      found.forEach(files::add);
    }
    Collections.sort(files);
    long bytes = Math.max(line, maxBytes / FILES);
    for (Path each : files) {
      bytes += Files.size(each);
    }
    for (Path oldest : files.subList(0, files.size() - 1)) {
      if (bytes <= maxBytes) {
        return;
      }
      bytes -= Files.size(oldest);
      Files.delete(oldest);
    }
  }

  @Override
  public void close() throws IOException {
    if (current != null) {
      try (FileChannel full = current) {
        current = null;
        full.force(false);
      }
    }
  }
}
