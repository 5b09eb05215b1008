package dev.twinrank.core.internal.bundle;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** What lies beside a bundle and is no part of it: its name begins with the version. */
final class Siblings {
  private Siblings() {}

  /** Returns {@code <version>.attest/<name>}. */
  static Optional<Path> attestation(Path root, String name) {
    return sibling(root, ".attest").map(folder -> folder.resolve(name));
  }

  /** Returns {@code <version>.verified.json}. */
  static Optional<Path> record(Path root) {
    return sibling(root, ".verified.json");
  }

  /** Returns how a problem names it: relative to the bundle. */
  static String shown(Path root, Path sibling) {
    return real(root).relativize(sibling).toString().replace('\\', '/');
  }

  private static Optional<Path> sibling(Path root, String suffix) {
    Path whole = real(root);
    return Optional.ofNullable(whole.getFileName())
        .map(name -> whole.resolveSibling(name + suffix));
  }

  /** Follows links to the bundle: a version is the name of the directory itself. */
  private static Path real(Path root) {
    try {
      return root.toRealPath();
    } catch (IOException e) {
      return root.toAbsolutePath().normalize();
    }
  }
}
