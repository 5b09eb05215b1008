package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random corruptions, the same as the Python reader's: none that is not resealed passes the
 * digests, and a resealed one is refused by a code or proves itself.
 */
class CorruptionTest {
  private static final int SEED = 1;
  private static final int UNRESEALED = 5000;
  private static final int RESEALED = 1000;
  private static final int SHOWN_DIGITS = 16;
  private static final Set<String> BEFORE_GRAPH = Set.of("layout", "manifest", "digests");
  private static final String VERIFIED = "verified-reference";

  @TempDir Path folder;

  @Test
  void corruptionsAreThoseOfTheContract() {
    Map<String, Object> vector = Contract.json("hostile/corruptions.json");
    TreeMap<String, byte[]> files = new TreeMap<>();
    Contract.object(vector.get("files"))
        .forEach((path, text) -> files.put(path, Base64.getDecoder().decode((String) text)));
    int seed = Contract.integer(vector.get("seed"));
    List<?> digests = (List<?>) vector.get("digests");
    assertTrue(digests.size() >= 400);
    for (int i = 0; i < digests.size(); i++) {
      List<?> pair = (List<?>) digests.get(i);
      for (int j = 0; j < 2; j++) {
        Corruption made = Corruption.of(files, seed, i, j == 1);
        assertEquals(pair.get(j), made.digest().substring(0, SHOWN_DIGITS), i + made.what());
      }
    }
  }

  @Test
  void noCorruptionPassesTheDigests() throws IOException {
    Path bundle = Mutator.copy(Tiny.BASE, folder).bundle();
    SortedMap<String, byte[]> files = contents(bundle);
    assertEquals(VERIFIED, outcome(bundle));
    Map<String, Integer> codes = new TreeMap<>();
    for (int i = 0; i < UNRESEALED; i++) {
      Corruption made = Corruption.of(files, SEED, i, false);
      String code = spoiled(bundle, files, made);
      assertTrue(BEFORE_GRAPH.contains(phase(code)), i + " " + made.what() + " gave " + code);
      codes.merge(code, 1, Integer::sum);
    }
    assertEquals(UNRESEALED, codes.values().stream().mapToInt(Integer::intValue).sum());
    assertTrue(
        codes
            .keySet()
            .containsAll(
                Set.of(
                    "file_missing",
                    "link_refused",
                    "not_a_regular_file",
                    "file_unexpected",
                    "manifest_digest_mismatch",
                    "size_mismatch",
                    "digest_mismatch")),
        codes::toString);
    assertEquals(VERIFIED, outcome(bundle));
  }

  @Test
  void resealedCorruptionIsRefusedByItsCodeOrProvesItself() throws IOException {
    Path bundle = Mutator.copy(Tiny.BASE, folder).bundle();
    SortedMap<String, byte[]> files = contents(bundle);
    Map<String, Integer> codes = new TreeMap<>();
    for (int i = 0; i < RESEALED; i++) {
      codes.merge(spoiled(bundle, files, Corruption.of(files, SEED, i, true)), 1, Integer::sum);
    }
    for (String code :
        List.of(
            "graph_invalid",
            "graph_forbidden",
            "manifest_invalid",
            "manifest_invalid_json",
            "session_failed",
            "goldens_invalid",
            "golden_mismatch",
            VERIFIED)) {
      assertTrue(codes.getOrDefault(code, 0) >= 5, codes::toString);
    }
  }

  private static SortedMap<String, byte[]> contents(Path bundle) throws IOException {
    TreeMap<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(bundle)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(bundle.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
      }
    }
    return files;
  }

  /** Spoils a bundle, opens it, and makes it sound again. */
  private static String spoiled(Path bundle, Map<String, byte[]> files, Corruption made)
      throws IOException {
    for (Map.Entry<String, Optional<byte[]>> each : made.files().entrySet()) {
      Path file = bundle.resolve(each.getKey());
      if (each.getValue().isPresent()) {
        Files.write(file, each.getValue().get());
      } else {
        Files.delete(file);
      }
    }
    for (String path : made.folders()) {
      Files.createDirectory(bundle.resolve(path));
    }
    for (Map.Entry<String, String> link : made.symlinks().entrySet()) {
      Files.createSymbolicLink(bundle.resolve(link.getKey()), Path.of(link.getValue()));
    }
    for (Map.Entry<String, String> link : made.hardlinks().entrySet()) {
      Files.createLink(bundle.resolve(link.getKey()), bundle.resolve(link.getValue()));
    }
    String outcome = outcome(bundle);
    for (Set<String> added :
        List.of(Set.copyOf(made.folders()), made.symlinks().keySet(), made.hardlinks().keySet())) {
      for (String path : added) {
        Files.delete(bundle.resolve(path));
      }
    }
    for (String path : made.files().keySet()) {
      if (files.containsKey(path)) {
        Files.write(bundle.resolve(path), files.get(path));
      } else {
        Files.delete(bundle.resolve(path));
      }
    }
    return outcome;
  }

  /** Returns the primary code, or the state. Whatever else is thrown fails the test. */
  private static String outcome(Path bundle) {
    try (Model model = Model.open(bundle, Tiny.BY_REFERENCE)) {
      return model.verification().state().label();
    } catch (BundleException refusal) {
      return refusal.code().code();
    }
  }

  private static String phase(String code) {
    for (ErrorCode each : ErrorCode.values()) {
      if (each.code().equals(code)) {
        return each.phase().orElse("");
      }
    }
    return "none";
  }
}
