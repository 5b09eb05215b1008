package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What a bundle's directory holds: the phase <i>layout</i>. Nothing is followed and nothing opened.
 *
 * @param files relative paths of regular files
 * @param folders relative paths of directories
 */
record Tree(SortedSet<String> files, SortedSet<String> folders) {

  /** Walks over the directory. */
  static Tree scan(Path root) {
    Findings found = new Findings(root);
    if (!Files.isDirectory(root)) {
      boolean exists = Files.exists(root);
      throw found.fatal(
          exists ? ErrorCode.NOT_A_REGULAR_FILE : ErrorCode.FILE_MISSING,
          ".",
          (exists ? "is no directory" : "does not exist")
              + "; a bundle is the directory <models>/<name>/<version>",
          null);
    }
    Tree tree = new Tree(new TreeSet<>(), new TreeSet<>());
    Deque<String> waiting = new ArrayDeque<>();
    waiting.push("");
    while (!waiting.isEmpty()) {
      String prefix = waiting.pop();
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(root.resolve(prefix))) {
        for (Path entry : entries) {
          tree.add(prefix + entry.getFileName(), entry, waiting, found);
        }
      } catch (IOException | DirectoryIteratorException e) {
        found.add(
            ErrorCode.FILE_MISSING, prefix.isEmpty() ? "." : prefix, "cannot be listed: " + e);
      }
    }
    for (String path : new String[] {Paths.MANIFEST, Paths.MANIFEST_DIGEST}) {
      if (tree.folders.contains(path)) {
        found.add(ErrorCode.NOT_A_REGULAR_FILE, path, "is a directory");
      } else if (!tree.files.contains(path) && !found.names(path)) {
        found.add(ErrorCode.FILE_MISSING, path, "does not exist; this is no complete bundle");
      }
    }
    found.stop();
    return tree;
  }

  private void add(String path, Path entry, Deque<String> waiting, Findings found)
      throws IOException {
    BasicFileAttributes facts =
        Files.readAttributes(entry, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    if (facts.isSymbolicLink()) {
      found.add(
          ErrorCode.LINK_REFUSED, path, "is a symbolic link; copy the file itself into the bundle");
    } else if (facts.isDirectory()) {
      folders.add(path);
      waiting.push(path + "/");
    } else if (!facts.isRegularFile()) {
      found.add(ErrorCode.NOT_A_REGULAR_FILE, path, "is neither a file nor a directory");
    } else if (links(entry) > 1) {
      found.add(
          ErrorCode.LINK_REFUSED,
          path,
          "has " + links(entry) + " hard links; copy the file instead");
    } else {
      files.add(path);
    }
  }

  /** Returns the number of hard links; 1 where the file system does not count them. */
  private static int links(Path file) throws IOException {
    return file.getFileSystem().supportedFileAttributeViews().contains("unix")
        ? (int) Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS)
        : 1;
  }
}
