package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ModelOptions.InstallationPolicy;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import dev.twinrank.core.internal.onnx.HostClass;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * A reader's note to itself that it has verified this installation; section 15 of the contract.
 *
 * <p>It spares digesting the external weights while they are the very file that was digested, and
 * nothing else.
 */
final class InstallationRecord {
  private static final int MAX_BYTES = 1 << 16;

  // A file can change twice within one tick of its file system's clock, and nothing would tell. The
  // coarsest clock in use ticks every two seconds.
  private static final Duration SETTLED = Duration.ofSeconds(2);

  private final Manifest manifest;
  private final Path file;
  private final Instant opened = Instant.now();

  private InstallationRecord(Manifest manifest, Path file) {
    this.manifest = manifest;
    this.file = file;
  }

  /**
   * Returns the record to use; nothing if the policy is against it or there are no such weights.
   */
  static Optional<InstallationRecord> of(Path root, Manifest manifest, InstallationPolicy policy) {
    return policy == InstallationPolicy.TRUST_RECORD
            && manifest.files().containsKey(Paths.MODEL_DATA)
        ? Siblings.record(root).map(file -> new InstallationRecord(manifest, file))
        : Optional.empty();
  }

  /** Returns whether it was written for this bundle, host and runtime, and for this very file. */
  boolean holds(FileFacts facts) {
    Optional<Map<String, String>> now = facts.recorded();
    try {
      if (now.isEmpty() || !BoundedFile.mayExist(file)) {
        return false;
      }
      byte[] text = BoundedFile.head(file, MAX_BYTES + 1);
      return text.length <= MAX_BYTES && Json.read(text).equals(document(now.get()));
    } catch (IOException | InvalidJson e) {
      return false; // a damaged record is no record; the file is digested and it is written anew
    }
  }

  private Map<String, Object> document(Map<String, String> facts) {
    Map<String, Object> integers = new LinkedHashMap<>();
    facts.forEach((name, value) -> integers.put(name, new Literal(value, true)));
    return Map.of(
        "format", new Literal("1", true),
        "bundle", manifest.digest(),
        "host_class", HostClass.get(),
        "runtime", manifest.release(),
        "files", Map.of(Paths.MODEL_DATA, integers));
  }

  /**
   * Writes the record of a verification that has succeeded, whole or not at all. Where the folder
   * does not allow it, or the file has changed in the last two seconds, there is none, and the next
   * opening digests again.
   */
  void write(FileFacts facts) {
    Optional<Map<String, String>> now = facts.recorded();
    if (now.isEmpty() || facts.lastChange().isAfter(opened.minus(SETTLED))) {
      return;
    }
    Path unfinished = file.resolveSibling(".tmp-" + file.getFileName() + "-" + UUID.randomUUID());
    try {
      try (FileChannel channel =
          FileChannel.open(unfinished, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        ByteBuffer text = ByteBuffer.wrap(text(now.get()).getBytes(StandardCharsets.UTF_8));
        while (text.hasRemaining()) {
          channel.write(text);
        }
        channel.force(true);
      }
      Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      discard(unfinished);
    }
  }

  private String text(Map<String, String> facts) {
    String integers =
        facts.entrySet().stream()
            .map(fact -> "\"" + fact.getKey() + "\": " + fact.getValue())
            .collect(Collectors.joining(", ", "{", "}"));
    return "{\"format\": 1, \"bundle\": \""
        + manifest.digest()
        + "\", \"host_class\": \""
        + HostClass.get()
        + "\", \"runtime\": \""
        + manifest.release()
        + "\", \"files\": {\""
        + Paths.MODEL_DATA
        + "\": "
        + integers
        + "}}\n";
  }

  private static void discard(Path unfinished) {
    try {
      Files.deleteIfExists(unfinished);
    } catch (IOException e) {
      // Its name says that it is unfinished; whoever may write here can remove it.
    }
  }
}
