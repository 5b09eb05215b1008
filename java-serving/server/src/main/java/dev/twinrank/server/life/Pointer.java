package dev.twinrank.server.life;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * What the file {@code <models>/<name>/active} said when it was looked at: one line, the number of
 * the version to serve. Immutable and thread-safe.
 *
 * @param content its text, cut where it is too long to be a pointer
 * @param problem why it names no version; empty if it names one
 * @param stamp which file it was: writing the same number anew is a new wish
 */
record Pointer(String content, Optional<String> problem, String stamp) {
  /** The file's name. */
  static final String FILE = "active";

  private static final int MOST_BYTES = 64;
  private static final Pattern FORM = Pattern.compile("[1-9][0-9]{0,17}(\r?\n)?");

  /** Reads a model's pointer; empty if there is none. */
  static Optional<Pointer> read(Path model) {
    Path file = model.resolve(FILE);
    try {
      BasicFileAttributes found = Files.readAttributes(file, BasicFileAttributes.class);
      if (!found.isRegularFile()) {
        return Optional.of(
            new Pointer("", Optional.of(file + " is no regular file"), found.toString()));
      }
      byte[] bytes;
      try (InputStream in = Files.newInputStream(file)) {
        bytes = in.readNBytes(MOST_BYTES);
      }
      String content = new String(bytes, StandardCharsets.ISO_8859_1);
      Optional<String> problem =
          FORM.matcher(content).matches()
              ? Optional.empty()
              : Optional.of(
                  "%s holds '%s'; one line with a version's number is allowed, such as 12"
                      .formatted(file, Text.printable(content).strip()));
      return Optional.of(
          new Pointer(
              content.strip(),
              problem,
              "%s %s %s".formatted(found.fileKey(), found.lastModifiedTime(), content)));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(
          new Pointer("", Optional.of(file + " cannot be read: " + e), e.toString()));
    }
  }

  /** Returns the version that it names, if it names one. */
  OptionalLong version() {
    return problem.isEmpty() ? OptionalLong.of(Long.parseLong(content)) : OptionalLong.empty();
  }
}
