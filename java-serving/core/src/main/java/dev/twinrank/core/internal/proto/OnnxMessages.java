package dev.twinrank.core.internal.proto;

import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.Map;

/** The messages of onnx.proto and their fields: the contract's table. Thread-safe. */
final class OnnxMessages {
  private static final int DEPTH = 32;
  private static final OnnxMessages SHIPPED = load();

  private final Map<String, Map<Integer, Field>> messages = new HashMap<>();

  private OnnxMessages(Map<?, ?> document) {
    ((Map<?, ?>) document.get("messages"))
        .forEach(
            (message, entries) -> {
              Map<Integer, Field> fields = new HashMap<>();
              ((Map<?, ?>) entries)
                  .forEach(
                      (number, entry) ->
                          fields.put(
                              Integer.valueOf((String) number), Field.of((Map<?, ?>) entry)));
              messages.put((String) message, fields);
            });
  }

  static OnnxMessages shipped() {
    return SHIPPED;
  }

  /** Returns the fields of a message by number. */
  Map<Integer, Field> fields(String message) {
    return messages.get(message);
  }

  private static OnnxMessages load() {
    try (InputStream in = OnnxMessages.class.getResourceAsStream("onnx-fields.json")) {
      if (in == null) {
        throw new IllegalStateException("the jar of twinrank-core lacks onnx-fields.json");
      }
      return new OnnxMessages(
          (Map<?, ?>) JsonTree.read(in.readAllBytes(), JsonCursor.factory(DEPTH)));
    } catch (IOException e) {
      throw new IllegalStateException("onnx-fields.json cannot be read", e);
    }
  }
}
