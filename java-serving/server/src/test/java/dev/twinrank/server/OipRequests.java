package dev.twinrank.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes the contract's raw requests as requests of the Open Inference Protocol: each feature by
 * what the schema says of it, in JSON (flat or nested) or in binary.
 */
public final class OipRequests {
  /** How tensors are written. */
  public enum Form {
    FLAT,
    NESTED,
    BINARY
  }

  /** A body, and how much of it is JSON. */
  public static final class Body {
    private final byte[] bytes;
    private final int header;

    private Body(byte[] bytes, int header) {
      this.bytes = bytes;
      this.header = header;
    }

    public byte[] bytes() {
      return bytes;
    }

    public int header() {
      return header;
    }
  }

  private final JsonNode features;
  private final Form form;
  private final ObjectNode request = Tiny.JSON.createObjectNode();
  private final ArrayNode inputs = Tiny.JSON.createArrayNode();
  private final ByteArrayOutputStream binary = new ByteArrayOutputStream();

  private OipRequests(JsonNode features, Form form) {
    this.features = features;
    this.form = form;
  }

  /** Returns a raw request in one of the forms; its values must have the features' types. */
  public static Body of(JsonNode raw, Form form) {
    JsonNode manifest = Tiny.json(Tiny.read(Tiny.BUNDLE.resolve("manifest.json")));
    return new OipRequests(manifest.get("schema").get("features"), form).write(raw);
  }

  private Body write(JsonNode raw) {
    List<JsonNode> candidates = new ArrayList<>();
    raw.get("candidates").forEach(candidates::add);
    for (JsonNode feature : features) {
      if (feature.get("placement").textValue().equals("context")) {
        context(feature, raw.get("context").path(feature.get("name").textValue()));
      } else {
        candidates(feature, candidates);
      }
    }
    ObjectNode parameters = request.putObject("parameters");
    parameters.put("candidates", candidates.size());
    if (form == Form.BINARY) {
      parameters.put("binary_data_output", true);
    }
    if (raw.path("k").isInt()) {
      parameters.set("k", raw.get("k"));
    }
    request.set("inputs", inputs);
    byte[] json = request.toString().getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(json);
    all.writeBytes(binary.toByteArray());
    return new Body(all.toByteArray(), json.length);
  }

  private void context(JsonNode feature, JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return;
    }
    List<JsonNode> values = new ArrayList<>();
    if (value.isArray()) {
      value.forEach(values::add);
    } else {
      values.add(value);
    }
    add(name(feature), datatype(feature), values, new long[] {values.size()});
  }

  private void candidates(JsonNode feature, List<JsonNode> candidates) {
    boolean list = feature.has("list");
    boolean vector = feature.has("vector");
    int length = vector ? feature.get("vector").get("length").intValue() : 1;
    List<JsonNode> values = new ArrayList<>();
    List<JsonNode> lengths = new ArrayList<>();
    List<JsonNode> present = new ArrayList<>();
    boolean any = false;
    boolean all = true;
    for (JsonNode candidate : candidates) {
      JsonNode value = candidate.path(name(feature));
      boolean there = !value.isMissingNode() && !value.isNull();
      any |= there;
      all &= there;
      present.add(Tiny.JSON.getNodeFactory().booleanNode(there));
      if (list) {
        lengths.add(Tiny.JSON.getNodeFactory().numberNode(there ? value.size() : 0));
        value.forEach(values::add);
      } else if (vector) {
        for (int i = 0; i < length; i++) {
          values.add(there ? value.get(i) : Tiny.JSON.getNodeFactory().numberNode(7));
        }
      } else {
        values.add(there ? value : placeholder(feature));
      }
    }
    if (!any) {
      return;
    }
    long n = candidates.size();
    long[] shape =
        list ? new long[] {values.size()} : vector ? new long[] {n, length} : new long[] {n};
    add(name(feature), datatype(feature), values, shape);
    if (list) {
      add(name(feature) + ".lengths", "INT64", lengths, new long[] {n});
    }
    if (!all) {
      add(name(feature) + ".present", "BOOL", present, new long[] {n});
    }
  }

  /** A value that must not be read. */
  private static JsonNode placeholder(JsonNode feature) {
    return switch (feature.get("dtype").textValue()) {
      case "string" -> Tiny.JSON.getNodeFactory().textNode("never read");
      case "bool" -> Tiny.JSON.getNodeFactory().booleanNode(true);
      default -> Tiny.JSON.getNodeFactory().numberNode(99);
    };
  }

  private void add(String name, String datatype, List<JsonNode> values, long[] shape) {
    ObjectNode input = inputs.addObject();
    input.put("name", name);
    ArrayNode sizes = input.putArray("shape");
    for (long size : shape) {
      sizes.add(size);
    }
    input.put("datatype", datatype);
    if (form == Form.BINARY) {
      int before = binary.size();
      values.forEach(value -> binary.writeBytes(bytes(datatype, value)));
      input.putObject("parameters").put("binary_data_size", binary.size() - before);
    } else if (form == Form.NESTED && shape.length == 2) {
      ArrayNode data = input.putArray("data");
      for (int i = 0; i < shape[0]; i++) {
        ArrayNode row = data.addArray();
        for (int j = 0; j < shape[1]; j++) {
          row.add(values.get(i * (int) shape[1] + j));
        }
      }
    } else {
      ArrayNode data = input.putArray("data");
      values.forEach(data::add);
    }
  }

  private static byte[] bytes(String datatype, JsonNode value) {
    ByteBuffer out = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    switch (datatype) {
      case "BOOL" -> out.put((byte) (value.booleanValue() ? 1 : 0));
      case "INT64" -> out.putLong(value.longValue());
      case "FP32" -> out.putFloat((float) number(value));
      case "FP64" -> out.putDouble(number(value));
      default -> {
        byte[] text = value.textValue().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(4 + text.length)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(text.length)
            .put(text)
            .array();
      }
    }
    byte[] all = new byte[out.position()];
    out.get(0, all);
    return all;
  }

  private static double number(JsonNode value) {
    return value.isTextual() ? Double.parseDouble(value.textValue()) : value.doubleValue();
  }

  private static String name(JsonNode feature) {
    return feature.get("name").textValue();
  }

  private static String datatype(JsonNode feature) {
    return switch (feature.get("dtype").textValue()) {
      case "string" -> "BYTES";
      case "bool" -> "BOOL";
      case "int64", "timestamp" -> "INT64";
      case "float32" -> "FP32";
      default -> "FP64";
    };
  }
}
