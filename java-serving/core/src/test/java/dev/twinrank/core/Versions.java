package dev.twinrank.core;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ModelOptions.WarmUp;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Versions of the contract's tiny bundle that differ in what they answer. */
final class Versions {
  static final String NAME = "tiny";
  static final ModelOptions OPTIONS = options().build();

  // The rows of the embedding of users; the first is that of requests without one.
  private static final float[] USERS = {8, 0, 9, 10, 11};

  private static final double CONTRACT = contract();

  private Versions() {}

  private static double contract() {
    try (Model model = Model.open(Tiny.path(), OPTIONS)) {
      return model.score(model.parse(Tiny.request(1))).value(0, 0);
    }
  }

  static ModelOptions.Builder options() {
    return ModelOptions.builder().require(Require.REFERENCE).warmUp(WarmUp.NONE);
  }

  /**
   * Makes {@code <models>/tiny/<version>}, whose heads {@code watched} and {@code margin} are the
   * version's number more than the contract's for requests without a user. Its tolerance reaches so
   * far.
   */
  static Path make(Path models, int version) throws IOException {
    return make(models, version, "risky");
  }

  /** Makes a version whose second head has another name. */
  static Path make(Path models, int version, String head) throws IOException {
    Path scratch = Files.createTempDirectory(models.getParent(), "making-");
    Mutator mutator = Mutator.copy(Tiny.BASE, scratch);
    Path model = mutator.bundle().resolve("model.onnx");
    Files.write(model, shifted(Files.readAllBytes(model), version));
    for (String moved : List.of("watched", "margin")) {
      String tolerance = "\"" + moved + "\": {\n          \"a\": ";
      mutator.apply(replace("manifest.json", tolerance + "1e-06", tolerance + "100"));
    }
    for (String file : List.of("manifest.json", "goldens/rankings.jsonl")) {
      Path path = mutator.bundle().resolve(file);
      Files.writeString(path, Files.readString(path).replace("\"risky\"", "\"" + head + "\""));
    }
    mutator.reseal(List.of("files", "manifest"));
    Path made = models.resolve(NAME).resolve(Integer.toString(version));
    Files.createDirectories(made.getParent());
    return Files.move(mutator.bundle(), made);
  }

  static Map<String, Object> replace(String file, String find, String with) {
    return Map.of("op", "replace", "path", file, "find", find, "with", with);
  }

  /** Returns what the head watched answers to one candidate without a user, less the contract's. */
  static int versionOf(Model model) {
    return versionOf(model.score(model.parse(Tiny.request(1))));
  }

  static int versionOf(Scores scores) {
    return (int) Math.round(scores.value(0, 0) - CONTRACT);
  }

  private static byte[] shifted(byte[] model, int by) {
    ByteBuffer table = ByteBuffer.allocate(USERS.length * Float.BYTES);
    table.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(USERS);
    int at =
        IntStream.range(0, model.length - table.capacity())
            .filter(i -> ByteBuffer.wrap(model, i, table.capacity()).equals(table))
            .findFirst()
            .orElseThrow();
    ByteBuffer.wrap(model).order(ByteOrder.LITTLE_ENDIAN).putFloat(at, USERS[0] + by);
    return model;
  }
}
