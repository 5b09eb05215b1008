package dev.twinrank.core;

import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** The contract's folder, seen from tests. A file that is not there fails the test. */
public final class Contract {
  private static final int DEPTH = 64;

  private Contract() {}

  /** Returns a path below tests/contract. */
  public static Path path(String relative) {
    Path module = Path.of(System.getProperty("basedir", "")).toAbsolutePath();
    return module.resolve("../../tests/contract").normalize().resolve(relative);
  }

  public static byte[] bytes(String relative) {
    try {
      return Files.readAllBytes(path(relative));
    } catch (IOException e) {
      throw new UncheckedIOException("the contract has lost " + relative, e);
    }
  }

  /** Returns the files of a folder whose names match a glob, of which there must be some. */
  public static List<String> files(String folder, String glob) {
    List<String> files = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(path(folder), glob)) {
      found.forEach(file -> files.add(folder + "/" + file.getFileName()));
    } catch (IOException e) {
      throw new UncheckedIOException("the contract has lost " + folder, e);
    }
    if (files.isEmpty()) {
      throw new AssertionError(folder + " has no " + glob);
    }
    files.sort(Comparator.naturalOrder());
    return files;
  }

  @SuppressWarnings("unchecked")
  public static Map<String, Object> json(String relative) {
    return (Map<String, Object>) JsonTree.read(bytes(relative), JsonCursor.factory(DEPTH));
  }

  /** Returns the objects of a member, of which there must be some. */
  @SuppressWarnings("unchecked")
  public static List<Map<String, Object>> cases(String relative, String member) {
    List<Map<String, Object>> cases = (List<Map<String, Object>>) json(relative).get(member);
    if (cases == null || cases.isEmpty()) {
      throw new AssertionError(relative + " has no " + member);
    }
    return cases;
  }

  @SuppressWarnings("unchecked")
  public static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  public static String text(Map<String, Object> object, String name) {
    return (String) object.get(name);
  }

  public static int integer(Object value) {
    return Integer.parseInt(value.toString());
  }
}
