package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelOptions.InstallationPolicy;
import dev.twinrank.core.Verification.Installation;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.bundle.Manifest.FileEntry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The files of a bundle: the list against the directory, and the phase <i>digests</i>. */
final class BundleFiles {
  // Read through a heap buffer, which the channel copies from a direct one of the same size.
  private static final int CHUNK = 1 << 18;
  private static final String GOLDENS = "goldens/";
  private static final int LARGEST_IN_MEMORY = Integer.MAX_VALUE - 8;

  private final Map<String, byte[]> contents = new HashMap<>();
  private final Path root;
  private final Optional<InstallationRecord> record;
  private final Findings found;
  private FileFacts weights;
  private Installation installation = Installation.NO_EXTERNAL_DATA;

  private BundleFiles(Path root, Optional<InstallationRecord> record) {
    this.root = root;
    this.record = record;
    this.found = new Findings(root);
  }

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
        found.add(
            ErrorCode.FILE_MISSING,
            path,
            "does not exist, but the manifest lists it; fetch the bundle again");
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

  /**
   * Digests every listed file, keeping the model and the goldens in memory; but not the external
   * weights if the record holds them.
   */
  static BundleFiles read(Path root, Manifest manifest, InstallationPolicy policy) {
    BundleFiles files = new BundleFiles(root, InstallationRecord.of(root, manifest, policy));
    new TreeMap<>(manifest.files()).forEach(files::read);
    files.found.stop();
    return files;
  }

  /** Digests the goldens alone, keeping them in memory. */
  static BundleFiles goldens(Path root, Manifest manifest) {
    BundleFiles files = new BundleFiles(root, Optional.empty());
    new TreeMap<>(manifest.files())
        .forEach(
            (path, entry) -> {
              if (path.startsWith(GOLDENS)) {
                files.read(path, entry);
              }
            });
    files.found.stop();
    return files;
  }

  /** Returns the digested bytes of the model or of a golden file. */
  byte[] content(String path) {
    return contents.get(path);
  }

  /** Returns how the external weights were looked at. */
  Installation installation() {
    return installation;
  }

  /** Returns whether the external weights are no longer the file that was looked at. */
  boolean externalDataChanged() {
    try {
      return weights != null && !FileFacts.of(root.resolve(Paths.MODEL_DATA)).equals(weights);
    } catch (IOException e) {
      return true; // a file that is gone has changed
    }
  }

  /** Notes down that this installation is verified, where the policy is to trust such notes. */
  void recordVerification() {
    if (installation == Installation.DIGESTED) {
      record.ifPresent(each -> each.write(weights));
    }
  }

  private void read(String path, FileEntry entry) {
    Path file = root.resolve(path);
    boolean keep = path.equals(Paths.MODEL) || path.startsWith(GOLDENS);
    try {
      // Before the file is opened: if the name says the same in the end, it never led elsewhere.
      FileFacts before = FileFacts.of(file);
      boolean external = path.equals(Paths.MODEL_DATA);
      boolean recorded = external && record.isPresent() && record.get().holds(before);
      digest(path, file, entry, keep, recorded);
      if (external) {
        weights = before;
        installation = recorded ? Installation.RECORDED : Installation.DIGESTED;
      }
    } catch (IOException e) {
      found.add(ErrorCode.FILE_MISSING, path, "cannot be read: " + e);
    }
  }

  private void digest(String path, Path file, FileEntry entry, boolean keep, boolean recorded)
      throws IOException {
    try (FileChannel channel = BoundedFile.open(file)) {
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
      if (recorded) {
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
      }
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
    try {
      return BoundedFile.head(root.resolve(path), most);
    } catch (IOException e) {
      throw new Findings(root).fatal(ErrorCode.FILE_MISSING, path, "cannot be read: " + e, e);
    }
  }
}
