package dev.twinrank.core;

import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.pack.Names;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** What lies under {@code <models>/<name>/<version>}. Immutable and thread-safe. */
final class ModelFolders {
  // At most 18 digits, so that every match fits a long.
  private static final Pattern VERSION = Pattern.compile("[1-9][0-9]{0,17}");
  private static final long LARGEST = 999_999_999_999_999_999L;

  // Attestations of a version; they lie beside it and belong to it.
  private static final Pattern ATTESTATIONS = Pattern.compile("[1-9][0-9]{0,17}\\.attest");

  private final Path root;

  ModelFolders(Path root) {
    this.root = root;
  }

  /** Returns the version that a directory's name is, if it is one. */
  static OptionalLong version(Path directory) {
    Path name = directory.getFileName();
    return name != null && VERSION.matcher(name.toString()).matches()
        ? OptionalLong.of(Long.parseLong(name.toString()))
        : OptionalLong.empty();
  }

  /**
   * Returns where a version lies; it need not be there.
   *
   * @throws IllegalArgumentException if no model can have that name, or no version that number
   */
  Path bundle(String name, long version) {
    if (!Names.MODEL.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "no model can be named " + Quote.of(name) + "; allowed: " + Names.MODEL.pattern());
    }
    if (version < 1 || version > LARGEST) {
      throw new IllegalArgumentException(
          "no version can be " + version + "; 1 to " + LARGEST + " is allowed");
    }
    return root.resolve(name).resolve(Long.toString(version));
  }

  /**
   * Lists the directories.
   *
   * @throws UncheckedIOException if one cannot be read
   */
  ModelStore.OnDisk list() {
    SortedMap<String, List<Long>> versions = new TreeMap<>();
    List<Path> passedOver = new ArrayList<>();
    for (Path directory : directories(root)) {
      if (!Names.MODEL.matcher(directory.getFileName().toString()).matches()) {
        passedOver.add(directory); // such as lost+found, which nobody may enter either
        continue;
      }
      List<Long> found = new ArrayList<>();
      for (Path candidate : directories(directory)) {
        OptionalLong version = version(candidate);
        if (version.isPresent()) {
          found.add(version.getAsLong());
        } else if (!ATTESTATIONS.matcher(candidate.getFileName().toString()).matches()) {
          passedOver.add(candidate);
        }
      }
      found.sort(Comparator.naturalOrder());
      versions.put(directory.getFileName().toString(), found);
    }
    return new ModelStore.OnDisk(versions, passedOver);
  }

  // Names that begin with a dot are not models: a writer's .tmp- siblings are unfinished, the
  // others are not ours.
  private static List<Path> directories(Path parent) {
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(parent)) {
      for (Path entry : entries) {
        if (!entry.getFileName().toString().startsWith(".") && Files.isDirectory(entry)) {
          found.add(entry);
        }
      }
    } catch (DirectoryIteratorException e) {
      throw unreadable(parent, e.getCause());
    } catch (IOException e) {
      throw unreadable(parent, e);
    }
    found.sort(Comparator.naturalOrder());
    return found;
  }

  private static UncheckedIOException unreadable(Path directory, IOException e) {
    return new UncheckedIOException(
        directory
            + ": is no directory that can be read; a store takes the one above <name>/<version> ("
            + e
            + ")",
        e);
  }
}
