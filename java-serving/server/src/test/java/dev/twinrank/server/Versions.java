package dev.twinrank.server;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Versions of the contract's tiny bundle that are sound and differ from it. */
public final class Versions {
  private static final String HEAD = "\"risky\"";

  private Versions() {}

  /** Makes a version with the same answers and another digest. */
  public static void same(Path models, int version) throws IOException {
    Path bundle = models.resolve("tiny/" + version);
    Tiny.copyTo(bundle);
    Path manifest = bundle.resolve("manifest.json");
    seal(bundle, Files.readString(manifest) + "\n".repeat(version));
  }

  /** Makes a version whose second head has another name, so that it cannot replace the others. */
  public static void bold(Path models, int version) throws IOException {
    Path bundle = models.resolve("tiny/" + version);
    Tiny.copyTo(bundle);
    Path rankings = bundle.resolve("goldens/rankings.jsonl");
    String before = sha256(Files.readAllBytes(rankings));
    Files.writeString(rankings, Files.readString(rankings).replace(HEAD, "\"rushy\""));
    String manifest =
        Files.readString(bundle.resolve("manifest.json"))
            .replace(before, sha256(Files.readAllBytes(rankings)))
            .replace(HEAD, "\"rushy\"");
    seal(bundle, manifest);
  }

  private static void seal(Path bundle, String manifest) throws IOException {
    Files.writeString(bundle.resolve("manifest.json"), manifest);
    Files.writeString(
        bundle.resolve("manifest.sha256"),
        sha256(manifest.getBytes(StandardCharsets.UTF_8)) + "\n");
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
