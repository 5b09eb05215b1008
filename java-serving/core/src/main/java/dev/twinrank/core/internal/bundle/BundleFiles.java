package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.bundle.Manifest.FileEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The files of a bundle: the list against the directory, and the phase <i>digests</i>. */
final class BundleFiles {
  private static final int CHUNK = 1 << 20;
  private static final int LARGEST_IN_MEMORY = Integer.MAX_VALUE - 8;
  private static final String UNIX_FACTS = "unix:dev,ino,size,lastModifiedTime,ctime";

  private final Map<String, byte[]> contents = new HashMap<>();
  private Path watched;
  private Map<String, Object> watchedFacts;

  private BundleFiles() {}

  /** Returns the manifest, after the whole phase <i>manifest</i>. */
  static Manifest manifest(Path root, Tree tree) {
    // One byte more than allowed is enough to know that there is too much.
    byte[] raw = head(root, Paths.MANIFEST, ManifestReader.MAX_BYTES + 1);
    Manifest manifest = ManifestReader.read(root, raw, head(root, Paths.MANIFEST_DIGEST, 1024));
    compare(root, tree, manifest);
    return manifest;
  }

  private static void compare(Path root, Tree tree, Manifest manifest) {
    Findings found = new Findings(root);
    Set<String> listed = manifest.files().keySet();
    Set<String> required = new TreeSet<>(Set.of(Paths.MODEL, Paths.REQUESTS, Paths.RANKINGS));
    int inputs = manifest.plan().packing().blocks().size();
    int outputs = manifest.outputs().size();
    if ((long) manifest.dataSets() * (inputs + outputs) <= listed.size()) {
      required.addAll(Paths.tensors(manifest.dataSets(), inputs, outputs));
    } else {
      found.add(
          ErrorCode.FILE_MISSING,
          "goldens",
          "has fewer files in the manifest than its "
              + manifest.dataSets()
              + " data sets have tensors");
    }
    for (String path : required) {
      if (!listed.contains(path)) {
        found.add(ErrorCode.FILE_MISSING, path, "is not in the manifest; every bundle has it");
      }
    }
    Set<String> folders = new TreeSet<>();
    for (String path : listed) {
      for (int at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
        folders.add(path.substring(0, at));
      }
      if (tree.folders().contains(path)) {
        found.add(ErrorCode.NOT_A_REGULAR_FILE, path, "is a directory");
      } else if (!tree.files().contains(path)) {
        found.add(ErrorCode.FILE_MISSING, path, "is in the manifest only; fetch the bundle again");
      }
    }
    for (String path : tree.files()) {
      if (!listed.contains(path) && !Paths.UNLISTED.contains(path)) {
        found.add(
            ErrorCode.FILE_UNEXPECTED,
            path,
            "is not in the manifest; remove it, or export the model again");
      }
    }
    for (String path : tree.folders()) {
      if (!folders.contains(path) && !listed.contains(path)) {
        found.add(
            ErrorCode.FILE_UNEXPECTED, path, "is a directory without a listed file; remove it");
      }
    }
    found.stop();
  }

  /** Digests every listed file, keeping the model and the goldens in memory. */
  static BundleFiles read(Path root, Manifest manifest) {
    Findings found = new Findings(root);
    BundleFiles files = new BundleFiles();
    new TreeMap<>(manifest.files()).forEach((path, entry) -> files.read(root, path, entry, found));
    found.stop();
    return files;
  }

  /** Returns the digested bytes of the model or of a golden file. */
  byte[] content(String path) {
    return contents.get(path);
  }

  /** Returns whether the external weights are no longer the file that was digested. */
  boolean externalDataChanged() {
    try {
      return watched != null && !facts(watched).equals(watchedFacts);
    } catch (IOException e) {
      return true; // a file that is gone has changed
    }
  }

  private void read(Path root, String path, FileEntry entry, Findings found) {
    Path file = root.resolve(path);
    boolean keep = path.equals(Paths.MODEL) || path.startsWith("goldens/");
    try (FileChannel channel = open(file)) {
      Map<String, Object> before = facts(file);
      if (channel.size() != entry.size()) {
        found.add(
            ErrorCode.SIZE_MISMATCH,
            path,
            "has "
                + channel.size()
                + " bytes, the manifest says "
                + entry.size()
                + "; fetch the bundle again");
        return;
      }
      if (keep && entry.size() > LARGEST_IN_MEMORY) {
        found.add(
            ErrorCode.SIZE_MISMATCH,
            path,
            "has " + entry.size() + " bytes; a Java array holds at most " + LARGEST_IN_MEMORY);
        return;
      }
      byte[] kept = keep ? new byte[(int) entry.size()] : null;
      String digest = digest(channel, entry.size(), kept);
      if (!digest.equals(entry.sha256())) {
        found.add(
            ErrorCode.DIGEST_MISMATCH,
            path,
            "has SHA-256 "
                + digest
                + ", the manifest says "
                + entry.sha256()
                + "; fetch the bundle again");
      } else if (keep) {
        contents.put(path, kept);
      } else if (path.equals(Paths.MODEL_DATA)) {
        watched = file;
        watchedFacts = before;
      }
    } catch (IOException e) {
      found.add(ErrorCode.FILE_MISSING, path, "cannot be read: " + e);
    }
  }

  /** Digests one byte more than expected: a file that grew must not pass as its beginning. */
  private static String digest(FileChannel channel, long size, byte[] kept) throws IOException {
    MessageDigest digest = Sha256.start();
    ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(size + 1, CHUNK));
    long done = 0;
    while (done <= size && channel.read(chunk.clear()) >= 0) {
      chunk.flip();
      if (kept != null && done + chunk.remaining() <= size) {
        chunk.duplicate().get(kept, (int) done, chunk.remaining());
      }
      done += chunk.remaining();
      digest.update(chunk);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static byte[] head(Path root, String path, int most) {
    try (FileChannel channel = open(root.resolve(path))) {
      ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(channel.size(), most));
      while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
        // read on until the file or the limit ends
      }
      byte[] read = new byte[bytes.flip().remaining()];
      bytes.get(read);
      return read;
    } catch (IOException e) {
      throw new Findings(root).fatal(ErrorCode.FILE_MISSING, path, "cannot be read: " + e, e);
    }
  }

  private static FileChannel open(Path file) throws IOException {
    return FileChannel.open(file, StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
  }

  private static Map<String, Object> facts(Path file) throws IOException {
    boolean unix = file.getFileSystem().supportedFileAttributeViews().contains("unix");
    return Files.readAttributes(
        file,
        unix ? UNIX_FACTS : "fileKey,size,lastModifiedTime,creationTime",
        LinkOption.NOFOLLOW_LINKS);
  }
}
