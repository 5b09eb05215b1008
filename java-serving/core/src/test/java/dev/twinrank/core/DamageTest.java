package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damaged bytes are answered by the two exceptions of the API and by nothing else. */
class DamageTest {
  private static final int DAMAGED_REQUESTS = 3000;
  private static final int DAMAGED_BUNDLES = 150;

  @TempDir Path folder;

  private final Random random = new Random(7);

  @Test
  void damagedRequestIsReadOrRefused() {
    List<byte[]> sound = Tiny.requests().stream().map(Tiny::utf8).toList();
    int refused = 0;
    try (Model model = Tiny.open()) {
      for (int i = 0; i < DAMAGED_REQUESTS; i++) {
        try {
          model.parse(damaged(sound.get(i % sound.size())));
        } catch (ScoringException e) {
          refused++;
        }
      }
    }
    assertTrue(refused > DAMAGED_REQUESTS / 2, () -> "the damage must hurt");
  }

  @Test
  void damagedManifestIsReadOrRefused() throws IOException {
    damage("manifest.json");
  }

  @Test
  void damagedModelIsReadOrRefused() throws IOException {
    damage("model.onnx");
  }

  @Test
  void damagedGoldensAreReadOrRefused() throws IOException {
    damage("goldens/rankings.jsonl");
    damage("goldens/test_data_set_1/input_0.pb");
  }

  private void damage(String name) throws IOException {
    Path bundle = Mutator.copy(Tiny.BASE, folder.resolve(Sha256.hex(Tiny.utf8(name)))).bundle();
    Path file = bundle.resolve(name);
    byte[] sound = Files.readAllBytes(file);
    String manifest = Files.readString(bundle.resolve("manifest.json"));
    int refused = 0;
    for (int i = 0; i < DAMAGED_BUNDLES; i++) {
      byte[] damaged = damaged(sound);
      Files.write(file, damaged);
      if (!name.equals("manifest.json")) {
        String resealed =
            manifest
                .replace(Sha256.hex(sound), Sha256.hex(damaged))
                .replaceAll("(\"size\": )" + sound.length + "\\b", "$1" + damaged.length);
        Files.writeString(bundle.resolve("manifest.json"), resealed);
      }
      Files.writeString(
          bundle.resolve("manifest.sha256"),
          Sha256.hex(Files.readAllBytes(bundle.resolve("manifest.json"))) + "\n");
      try {
        Model.open(bundle, Tiny.BY_REFERENCE).close();
      } catch (BundleException e) {
        refused++;
      }
    }
    assertTrue(refused > DAMAGED_BUNDLES / 2, () -> "the damage must hurt");
  }

  private byte[] damaged(byte[] sound) {
    byte[] bytes = sound.clone();
    return switch (random.nextInt(4)) {
      case 0 -> Arrays.copyOf(bytes, random.nextInt(bytes.length));
      case 1 -> {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        yield bytes;
      }
      case 2 -> {
        for (int i = 0; i < 3; i++) {
          bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        }
        yield bytes;
      }
      default -> {
        int from = random.nextInt(bytes.length);
        int to = from + random.nextInt(Math.min(20, bytes.length - from));
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        yield (text.substring(0, to) + text.substring(from)).getBytes(StandardCharsets.ISO_8859_1);
      }
    };
  }
}
