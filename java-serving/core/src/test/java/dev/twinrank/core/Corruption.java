package dev.twinrank.core;

import dev.twinrank.core.internal.Sha256;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What differs from a bundle after a random corruption: see tests/contract/hostile/corruptions.md.
 *
 * @param what what was done, for messages
 * @param files new bytes by path; nothing for a file that is gone
 * @param folders empty folders
 * @param symlinks symbolic links and what they name
 * @param hardlinks second names and the files that they name
 */
record Corruption(
    String what,
    Map<String, Optional<byte[]>> files,
    List<String> folders,
    Map<String, String> symlinks,
    Map<String, String> hardlinks) {
  private static final String MODEL = "model.onnx";
  private static final String MANIFEST = "manifest.json";
  private static final String DIGEST = "manifest.sha256";

  private Corruption(String what, Map<String, Optional<byte[]>> files) {
    this(what, files, List.of(), Map.of(), Map.of());
  }

  /** Makes one corruption of a bundle's files; resealed, the digests fit again. */
  static Corruption of(SortedMap<String, byte[]> files, int seed, int number, boolean resealed) {
    SplitMix random = new SplitMix(seed, number);
    List<String> paths = List.copyOf(files.keySet());
    int roll = random.below(10);
    if (roll == 9) {
      return ofTree(random, files, paths);
    }
    String path;
    if (roll < 4) {
      path = MODEL;
    } else if (roll < 6) {
      path = MANIFEST;
    } else if (roll < 8) {
      path = paths.get(random.below(paths.size()));
    } else {
      path = random.below(2) == 0 ? "goldens/rankings.jsonl" : "goldens/requests.jsonl";
    }
    byte[] sound = files.get(path);
    boolean structured = random.below(2) == 0;
    byte[] spoiled;
    if (structured && (path.endsWith(".onnx") || path.endsWith(".pb"))) {
      spoiled = ProtoDamage.spoil(random, sound);
    } else if (structured && (path.endsWith(".json") || path.endsWith(".jsonl"))) {
      spoiled = ByteDamage.spoilLines(random, sound);
    } else {
      spoiled = ByteDamage.spoil(random, sound);
    }
    if (Arrays.equals(spoiled, sound)) {
      spoiled = ByteDamage.joined(sound, new byte[1]);
    }
    Map<String, Optional<byte[]>> changed = new TreeMap<>();
    changed.put(path, Optional.of(spoiled));
    if (resealed && !path.equals(DIGEST)) {
      reseal(changed, files, path, spoiled);
    }
    return new Corruption(path, changed);
  }

  private static void reseal(
      Map<String, Optional<byte[]>> changed,
      Map<String, byte[]> files,
      String path,
      byte[] spoiled) {
    byte[] manifest = spoiled;
    if (!path.equals(MANIFEST)) {
      // Bytes as characters of the same number: the manifest may be any bytes.
      String text = new String(files.get(MANIFEST), StandardCharsets.ISO_8859_1);
      int entry = text.indexOf("\"" + path + "\": {", text.indexOf("\"files\": {"));
      int at = text.indexOf("\"sha256\": \"", entry) + "\"sha256\": \"".length();
      text = text.substring(0, at) + Sha256.hex(spoiled) + text.substring(at + 64);
      at = text.indexOf("\"size\": ", entry) + "\"size\": ".length();
      int end = at;
      while (Character.isDigit(text.charAt(end))) {
        end++;
      }
      text = text.substring(0, at) + spoiled.length + text.substring(end);
      manifest = text.getBytes(StandardCharsets.ISO_8859_1);
    }
    changed.put(MANIFEST, Optional.of(manifest));
    changed.put(DIGEST, Optional.of(Tiny.utf8(Sha256.hex(manifest) + "\n")));
  }

  private static Corruption ofTree(SplitMix random, Map<String, byte[]> files, List<String> paths) {
    int kind = random.below(7);
    String path = paths.get(random.below(paths.size()));
    String other = paths.get(random.below(paths.size()));
    byte[] bytes = files.get(path);
    Map<String, Optional<byte[]>> gone = Map.of(path, Optional.empty());
    return switch (kind) {
      case 0 -> new Corruption(path + " removed", gone);
      case 1 -> {
        if (Arrays.equals(bytes, files.get(other))) {
          byte[] longer = ByteDamage.joined(bytes, new byte[1]);
          yield new Corruption(path + " longer", Map.of(path, Optional.of(longer)));
        }
        Map<String, Optional<byte[]>> swapped = new TreeMap<>();
        swapped.put(path, Optional.of(files.get(other)));
        swapped.put(other, Optional.of(bytes));
        yield new Corruption(path + " and " + other + " swapped", swapped);
      }
      case 2 ->
          new Corruption(path + ".extra", Map.of(path + ".extra", Optional.of(files.get(other))));
      case 3 -> new Corruption("a folder", Map.of(), List.of("extra"), Map.of(), Map.of());
      case 4 -> new Corruption(path + " a folder", gone, List.of(path), Map.of(), Map.of());
      case 5 ->
          new Corruption(
              path + " a link", gone, List.of(), Map.of(path, "../../elsewhere/" + path), Map.of());
      default ->
          new Corruption(
              path + " linked", Map.of(), List.of(), Map.of(), Map.of(path + ".link", path));
    };
  }

  /** SHA-256 over everything that differs. */
  String digest() {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    files.forEach(
        (path, content) ->
            add(all, content.isPresent() ? "file" : "gone", path, content.orElse(new byte[0])));
    folders.forEach(path -> add(all, "folder", path, new byte[0]));
    symlinks.forEach((path, target) -> add(all, "symlink", path, Tiny.utf8(target)));
    hardlinks.forEach((path, target) -> add(all, "hardlink", path, Tiny.utf8(target)));
    return Sha256.hex(all.toByteArray());
  }

  private static void add(ByteArrayOutputStream all, String kind, String path, byte[] content) {
    all.writeBytes(Tiny.utf8(kind + " " + path + " " + content.length + "\n"));
    all.writeBytes(content);
  }
}
