package dev.twinrank.core;

import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Spoils a copy of a bundle as tests/contract/hostile/README.md says. */
public final class Mutator {
  private static final String MANIFEST = "manifest.json";
  private static final Set<String> UNLISTED = Set.of(MANIFEST, "manifest.sha256", "model.sig");

  private final Path bundle;

  private Mutator(Path bundle) {
    this.bundle = bundle;
  }

  /** Copies a bundle of the contract, bytes only, to {@code <folder>/tiny/1}. */
  public static Mutator copy(String base, Path folder) throws IOException {
    Path from = Contract.path(base);
    Path to = folder.resolve("tiny/1");
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path copy = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy);
        } else {
          Files.write(copy, Files.readAllBytes(file));
        }
      }
    }
    return new Mutator(to);
  }

  public Path bundle() {
    return bundle;
  }

  /** Makes this host the one of the evidence; the base names a class that no host has. */
  public Mutator rehost() throws IOException {
    replace(MANIFEST, "0".repeat(64), Runtimes.hostClass());
    return this;
  }

  public Mutator apply(Map<String, Object> op) throws IOException {
    String name = here(Contract.text(op, "path"));
    Path path = bundle.resolve(name);
    switch (Contract.text(op, "op")) {
      case "delete" -> delete(path);
      case "write" -> {
        Files.createDirectories(path.getParent());
        Files.write(path, content(op));
      }
      case "append" -> Files.write(path, content(op), StandardOpenOption.APPEND);
      case "copy" -> Files.write(path, Contract.bytes("hostile/" + Contract.text(op, "from")));
      case "fill" -> {
        Files.createDirectories(path.getParent());
        String text =
            new String(
                Contract.bytes("hostile/" + Contract.text(op, "from")), StandardCharsets.UTF_8);
        Files.writeString(path, here(text).replace("{bundle}", digest()));
      }
      case "sign" -> {
        Files.createDirectories(path.getParent());
        Map<String, String> resources = resources(op.get("resources"));
        String key =
            new String(
                Contract.bytes("hostile/" + Contract.text(op, "key")), StandardCharsets.US_ASCII);
        Files.write(path, Signer.ofPem(key).sign(resources));
      }
      case "extend" -> {
        byte[] bytes = Files.readAllBytes(path);
        byte[] extended = Arrays.copyOf(bytes, Contract.integer(op.get("size")));
        Arrays.fill(extended, bytes.length, extended.length, (byte) ' ');
        Files.write(path, extended);
      }
      case "rename" -> Files.move(path, bundle.resolve(Contract.text(op, "to")));
      case "truncate" -> {
        byte[] bytes = Files.readAllBytes(path);
        int size = Contract.integer(op.get("size"));
        int kept = size < 0 ? bytes.length + size : size;
        if (kept < 0 || kept >= bytes.length) {
          throw new AssertionError(name + " has " + bytes.length + " bytes, not cut by " + op);
        }
        Files.write(path, Arrays.copyOf(bytes, kept));
      }
      case "flip_bit" -> {
        byte[] bytes = Files.readAllBytes(path);
        int at = Contract.integer(op.get("byte"));
        bytes[at < 0 ? bytes.length + at : at] ^= (byte) (1 << Contract.integer(op.get("bit")));
        Files.write(path, bytes);
      }
      case "replace" -> replace(name, Contract.text(op, "find"), Contract.text(op, "with"));
      case "set_json" -> edit(path, Contract.text(op, "pointer"), op.get("value"));
      case "remove_json" -> edit(path, Contract.text(op, "pointer"), null);
      case "mkdir" -> Files.createDirectories(path);
      case "symlink" -> Files.createSymbolicLink(path, Path.of(Contract.text(op, "target")));
      case "hardlink" -> Files.createLink(path, bundle.resolve(Contract.text(op, "target")));
      default -> throw new AssertionError("hostile/cases.json has the unknown op " + op);
    }
    return this;
  }

  private Map<String, String> resources(Object given) throws IOException {
    if (given.equals("all")) {
      return digests();
    }
    Map<String, String> resources = new LinkedHashMap<>();
    for (Object each : (List<?>) given) {
      Map<String, Object> resource = Contract.object(each);
      Path file = bundle.resolve(here(Contract.text(resource, "path")));
      resources.put(here(Contract.text(resource, "name")), Sha256.hex(Files.readAllBytes(file)));
    }
    return resources;
  }

  /** Returns the digest of every file that a signature covers. */
  Map<String, String> digests() throws IOException {
    Map<String, String> digests = new TreeMap<>();
    try (Stream<Path> files = Files.walk(bundle)) {
      for (Path file : files.filter(Mutator::isRegular).toList()) {
        String name = bundle.relativize(file).toString();
        if (!name.equals("model.sig")) {
          digests.put(name, Sha256.hex(Files.readAllBytes(file)));
        }
      }
    }
    return digests;
  }

  public Mutator reseal(List<?> what) throws IOException {
    if (what.contains("list")) {
      Map<String, Object> files = new TreeMap<>();
      try (Stream<Path> found = Files.walk(bundle)) {
        for (Path file : found.filter(f -> isRegular(f)).toList()) {
          String name = bundle.relativize(file).toString();
          if (!UNLISTED.contains(name)) {
            files.put(name, entry(file));
          }
        }
      }
      edit(bundle.resolve(MANIFEST), "/files", files);
    }
    if (what.contains("files")) {
      Map<String, Object> manifest = Contract.object(read(bundle.resolve(MANIFEST)));
      Map<String, Object> files = Contract.object(manifest.get("files"));
      for (Map.Entry<String, Object> each : files.entrySet()) {
        Path file = bundle.resolve(each.getKey());
        if (isRegular(file)) {
          Contract.object(each.getValue()).putAll(entry(file));
        }
      }
      Files.writeString(bundle.resolve(MANIFEST), JsonText.of(manifest));
    }
    if (what.contains("manifest")) {
      String digest = Sha256.hex(Files.readAllBytes(bundle.resolve(MANIFEST)));
      Files.writeString(bundle.resolve("manifest.sha256"), digest + "\n");
    }
    return this;
  }

  /** Returns the digest of the bundle as it is. */
  String digest() throws IOException {
    return "sha256:" + Sha256.hex(Files.readAllBytes(bundle.resolve(MANIFEST)));
  }

  private static String here(String text) {
    return text.replace("{host_class}", Runtimes.hostClass());
  }

  private void replace(String name, String find, String with) throws IOException {
    String text = Files.readString(bundle.resolve(name));
    if (!text.contains(find)) {
      throw new AssertionError(name + " has no " + find);
    }
    int at = text.indexOf(find);
    Files.writeString(
        bundle.resolve(name), text.substring(0, at) + with + text.substring(at + find.length()));
  }

  @SuppressWarnings("unchecked")
  private static void edit(Path file, String pointer, Object value) throws IOException {
    Object document = read(file);
    String[] steps = pointer.split("/", -1);
    Object parent = document;
    for (int i = 1; i < steps.length - 1; i++) {
      parent =
          parent instanceof Map<?, ?> object
              ? object.get(unescaped(steps[i]))
              : ((List<?>) parent).get(Integer.parseInt(steps[i]));
    }
    String last = unescaped(steps[steps.length - 1]);
    if (parent instanceof Map) {
      Map<String, Object> object = (Map<String, Object>) parent;
      if (value != null) {
        object.put(last, value);
      } else if (object.remove(last) == null) {
        throw new AssertionError(file + " has no " + pointer);
      }
    } else {
      List<Object> list = (List<Object>) parent;
      if (value == null) {
        list.remove(Integer.parseInt(last));
      } else if (last.equals("-")) {
        list.add(value);
      } else {
        list.set(Integer.parseInt(last), value);
      }
    }
    Files.writeString(file, JsonText.of(document));
  }

  private static Object read(Path file) throws IOException {
    return JsonTree.read(Files.readAllBytes(file), JsonCursor.factory(64));
  }

  private static String unescaped(String step) {
    return step.replace("~1", "/").replace("~0", "~");
  }

  private static Map<String, Object> entry(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    return Map.of("sha256", Sha256.hex(bytes), "size", JsonText.number(bytes.length));
  }

  private static boolean isRegular(Path file) {
    return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS);
  }

  private static byte[] content(Map<String, Object> op) {
    return op.containsKey("base64")
        ? Base64.getDecoder().decode(Contract.text(op, "base64"))
        : Contract.text(op, "text").getBytes(StandardCharsets.UTF_8);
  }

  private static void delete(Path path) throws IOException {
    try (Stream<Path> all = Files.walk(path)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }
}
