package dev.twinrank.life;

import dev.twinrank.core.Mutator;
import dev.twinrank.core.Scores;
import dev.twinrank.core.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The bundles of the lifecycle tests, made from the contract's tiny one: some that differ in their
 * scores and say so in every answer, some that are refused, and some that keep native code busy for
 * longer than the JVM waits for it when it ends.
 */
final class Bundles {
  static final String NAME = "tiny";

  /** Versions 1 to 3 serve; version v gives the golden scores times two to the power of v - 1. */
  static final int SERVING = 3;

  /** Refused by the runtime, which logs through its environment. */
  static final int UNRUNNABLE = 4;

  /** Refused before the runtime sees it. */
  static final int DAMAGED = 5;

  /** Its session takes half a second to create: constants are folded that nothing uses. */
  static final int SLOW_TO_LOAD = 6;

  /** A run takes half a second. */
  static final int SLOW_TO_RUN = 7;

  /** What versions 1 to 3 take. */
  static final int MAX_CANDIDATES = 10_000;

  /** A golden request of 16 candidates, scores of every kind among them. */
  private static final int GOLDEN = 1;

  private static final String MANIFEST = "manifest.json";
  private static final String MAX = "\"max_candidates\": ";
  private static final int SIDE = 1000;
  private static final int PRODUCTS = 20;

  private static final int[][] EXPECTED =
      IntStream.rangeClosed(0, SERVING)
          .mapToObj(version -> version == 0 ? new int[0] : expected(version))
          .toArray(int[][]::new);

  private Bundles() {}

  /** Makes all of them at {@code <folder>/models/tiny/<version>}, and returns the models folder. */
  static Path make(Path folder) throws IOException {
    Path models = Files.createDirectories(folder.resolve("models"));
    Files.createDirectories(models.resolve(NAME));
    byte[] model = Files.readAllBytes(Tiny.path().resolve("model.onnx"));
    for (int version = 1; version <= SERVING; version++) {
      byte[] other = version == 1 ? model : Protobuf.doubleScore(model, version - 1);
      place(models, version, sealed(mutator(folder, version), other));
    }
    place(
        models,
        UNRUNNABLE,
        mutator(folder, UNRUNNABLE)
            .apply(Map.of("op", "copy", "from", "models/unrunnable.onnx", "path", "model.onnx"))
            .reseal(List.of("files", "manifest")));
    place(
        models,
        DAMAGED,
        mutator(folder, DAMAGED)
            .apply(Map.of("op", "flip_bit", "path", "model.onnx", "byte", -1, "bit", 0)));
    place(models, SLOW_TO_LOAD, sealed(mutator(folder, SLOW_TO_LOAD), slow(model, false)));
    place(models, SLOW_TO_RUN, sealed(mutator(folder, SLOW_TO_RUN), slow(model, true)));
    return models;
  }

  static Path path(Path models, int version) {
    return models.resolve(NAME).resolve(Integer.toString(version));
  }

  /** Returns the golden request. */
  static byte[] request() {
    return Tiny.utf8(Tiny.requests().get(GOLDEN));
  }

  /** Returns the bits of the scores that a version must give, every NaN the quiet one. */
  static int[] expected(int version) {
    List<?> golden = (List<?>) Tiny.rankings().get(GOLDEN).get("score");
    return golden.stream()
        .mapToInt(hex -> Integer.parseUnsignedInt((String) hex, 16))
        .map(bits -> Float.floatToIntBits(Float.intBitsToFloat(bits) * (1 << (version - 1))))
        .toArray();
  }

  /** Returns the bits of the scores of an answer, every NaN the quiet one. */
  static int[] bits(Scores scores) {
    return IntStream.range(0, scores.candidates())
        .map(i -> Float.floatToIntBits(Float.intBitsToFloat((int) scores.scoreBits(i))))
        .toArray();
  }

  /** Returns the version that gives exactly these scores, or 0. */
  static int versionOf(int[] bits) {
    return IntStream.rangeClosed(1, SERVING)
        .filter(version -> Arrays.equals(bits, EXPECTED[version]))
        .findFirst()
        .orElse(0);
  }

  private static Mutator mutator(Path folder, int version) throws IOException {
    return Mutator.copy(Tiny.BASE, folder.resolve("making-" + version));
  }

  /**
   * Other scores are within a tolerance that reaches so far; order, NaN and infinities stay. And
   * the golden that has one candidate too many must be refused for something else.
   */
  private static Mutator sealed(Mutator mutator, byte[] model) throws IOException {
    Files.write(mutator.bundle().resolve("model.onnx"), model);
    String tolerance = "\"score\": {\n          \"a\": ";
    String candidate = "{\"stock\":0,\"quality\":0,\"margin\":0}";
    String candidates = candidate + "," + candidate + "," + candidate;
    return mutator
        .apply(replace(MANIFEST, tolerance + "1e-06", tolerance + "100000"))
        .apply(replace(MANIFEST, MAX + 20, MAX + MAX_CANDIDATES))
        .apply(replace("goldens/rankings.jsonl", "too_many_candidates", "wrong_type"))
        .apply(replace("goldens/requests.jsonl", candidates, candidates.replaceFirst("0", "\"x\"")))
        .reseal(List.of("files", "manifest"));
  }

  private static Map<String, Object> replace(String file, String find, String with) {
    return Map.of("op", "replace", "path", file, "find", find, "with", with);
  }

  private static void place(Path models, int version, Mutator made) throws IOException {
    Files.move(made.bundle(), path(models, version));
  }

  private static byte[] slow(byte[] model, boolean whenRun) {
    byte[][] nodes = new byte[PRODUCTS + 4][];
    nodes[0] = Protobuf.constant("side", SIDE, SIDE);
    nodes[1] = Protobuf.node("ConstantOfShape", "side", "square");
    // What depends on an input cannot be computed before there is one.
    nodes[2] = Protobuf.node("ReduceSum", "context.f32", "sum");
    nodes[3] = Protobuf.node("Add", whenRun ? "square sum" : "square square", "product0");
    for (int i = 0; i < PRODUCTS; i++) {
      nodes[4 + i] = Protobuf.node("MatMul", "product" + i + " square", "product" + (i + 1));
    }
    return Protobuf.append(model, nodes);
  }
}
