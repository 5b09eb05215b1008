package dev.twinrank.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** Makes raw requests for the fixture bundle that it accepts, whose values have their types. */
public final class RandomRequest {
  // What the fixture's vocabularies hold: others are unseen, which some features refuse.
  private static final String[] STRINGS = {"apple", "bread", "crème", "", "😀", "a\u0000b"};
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final Random random;

  private RandomRequest(Random random) {
    this.random = random;
  }

  /** Returns a request of up to 16 candidates. */
  public static ObjectNode of(Random random) {
    return of(random, random.nextInt(17));
  }

  /** Returns a request of so many candidates. */
  public static ObjectNode of(Random random, int candidates) {
    JsonNode features =
        Tiny.json(Tiny.read(Tiny.BUNDLE.resolve("manifest.json"))).get("schema").get("features");
    RandomRequest maker = new RandomRequest(random);
    ObjectNode raw = Tiny.JSON.createObjectNode();
    raw.set("context", maker.object(features, "context"));
    ArrayNode all = raw.putArray("candidates");
    for (int i = 0; i < candidates; i++) {
      all.add(maker.object(features, "candidate"));
    }
    return raw;
  }

  private ObjectNode object(JsonNode features, String placement) {
    ObjectNode object = Tiny.JSON.createObjectNode();
    Map<String, Integer> groups = new HashMap<>();
    for (JsonNode feature : features) {
      if (!feature.get("placement").textValue().equals(placement)) {
        continue;
      }
      boolean required = feature.at("/missing/policy").textValue().equals("error");
      boolean grouped = feature.has("group");
      if (!required && !grouped && random.nextInt(4) == 0) {
        continue;
      }
      int length =
          grouped
              ? groups.computeIfAbsent(feature.get("group").textValue(), group -> random.nextInt(6))
              : random.nextInt(6);
      object.set(feature.get("name").textValue(), value(feature, length));
    }
    return object;
  }

  private JsonNode value(JsonNode feature, int length) {
    if (!feature.has("list") && !feature.has("vector")) {
      return single(feature);
    }
    ArrayNode array = NODES.arrayNode();
    int size = feature.has("vector") ? feature.at("/vector/length").intValue() : length;
    for (int i = 0; i < size; i++) {
      array.add(single(feature));
    }
    return array;
  }

  private JsonNode single(JsonNode feature) {
    String name = feature.get("name").textValue();
    if (name.equals("region")) {
      return NODES.textNode(random.nextBoolean() ? "north" : "south");
    }
    if (name.equals("shelf")) {
      return NODES.numberNode(random.nextBoolean() ? 3 : -4);
    }
    return switch (feature.get("dtype").textValue()) {
      case "string" -> NODES.textNode(STRINGS[random.nextInt(STRINGS.length)]);
      case "bool" -> NODES.booleanNode(random.nextBoolean());
      case "int64" -> NODES.numberNode((long) random.nextInt(2000) - 1000);
      case "timestamp" -> NODES.numberNode(1_600_000_000_000L + random.nextInt());
      case "float32" -> decimal(feature, (float) random.nextGaussian());
      default -> decimal(feature, random.nextGaussian());
    };
  }

  private JsonNode decimal(JsonNode feature, double value) {
    int kind = random.nextInt(8);
    if (feature.path("nonfinite").booleanValue() && kind < 3) {
      return NODES.textNode(new String[] {"NaN", "Infinity", "-Infinity"}[kind]);
    }
    return NODES.numberNode(kind == 3 ? -0.0 : value);
  }
}
