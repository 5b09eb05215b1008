package dev.twinrank.core;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The contract's hand-made bundle, which any host class computes alike. */
public final class Tiny {
  public static final String BASE = "vectors/bundles/tiny/1";
  public static final ModelOptions BY_REFERENCE =
      ModelOptions.builder()
          .require(Require.REFERENCE)
          .warmUp(ModelOptions.WarmUp.NONE) // tests open thousands of bundles
          .build();

  /** The least that one candidate needs. */
  public static final String CANDIDATE = "{\"stock\": 1, \"quality\": 0.5, \"margin\": 2}";

  private Tiny() {}

  public static Path path() {
    return Contract.path(BASE);
  }

  /** Opens the committed bundle; its evidence is of a host class that no host has. */
  public static Model open() {
    return Model.open(path(), BY_REFERENCE);
  }

  public static byte[] request(int candidates) {
    return utf8(
        "{\"context\": {\"when\": 0, \"budget\": 0}, \"candidates\": ["
            + String.join(", ", Collections.nCopies(candidates, CANDIDATE))
            + "]}");
  }

  public static List<String> requests() {
    return lines("requests.jsonl");
  }

  public static List<Map<String, Object>> rankings() {
    return lines("rankings.jsonl").stream()
        .map(line -> Contract.object(JsonTree.read(utf8(line), JsonCursor.factory(32))))
        .toList();
  }

  public static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static List<String> lines(String file) {
    return new String(Contract.bytes(BASE + "/goldens/" + file), StandardCharsets.UTF_8)
        .lines()
        .toList();
  }
}
