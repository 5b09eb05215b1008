package dev.twinrank.core;

import java.util.Objects;

/**
 * One thing that is wrong with a bundle. Immutable and thread-safe.
 *
 * @param code the stable code
 * @param path the file, and where it helps the place in it, for example {@code
 *     manifest.json#/heads/0/name}
 * @param detail what was found, what is allowed, and what to do
 * @since 0.1
 */
public record Problem(ErrorCode code, String path, String detail) {

  /**
   * Checks the family.
   *
   * @throws IllegalArgumentException if {@code code} is not of the bundle family
   */
  public Problem {
    Objects.requireNonNull(path, "path");
    Objects.requireNonNull(detail, "detail");
    if (code.family() != ErrorCode.Family.BUNDLE) {
      throw new IllegalArgumentException(code.code() + " is no code of a bundle");
    }
  }
}
