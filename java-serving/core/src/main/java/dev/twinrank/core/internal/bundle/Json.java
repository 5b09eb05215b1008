package dev.twinrank.core.internal.bundle;

import com.fasterxml.jackson.core.JsonFactory;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import java.util.List;
import java.util.Map;

/** JSON as a bundle's own files hold it, and typed access to what has been checked. */
final class Json {
  private static final int MAX_DEPTH = 32;
  private static final JsonFactory FACTORY = JsonCursor.factory(MAX_DEPTH);

  private Json() {}

  /**
   * Reads a document.
   *
   * @throws InvalidJson also for a lone surrogate in a string, and for a number that overflows
   */
  static Object read(byte[] text) {
    return JsonTree.readSound(text, FACTORY);
  }

  @SuppressWarnings("unchecked") // a JSON object, as a check has shown
  static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  static Map<String, Object> object(Map<String, Object> parent, String name) {
    return object(parent.get(name));
  }

  @SuppressWarnings("unchecked") // a JSON array, as a check has shown
  static List<Object> array(Map<String, Object> parent, String name) {
    return (List<Object>) parent.get(name);
  }

  static String text(Map<String, Object> parent, String name) {
    return (String) parent.get(name);
  }

  static boolean bool(Map<String, Object> parent, String name) {
    return (Boolean) parent.get(name);
  }

  static long integer(Map<String, Object> parent, String name) {
    return Long.parseLong(((Literal) parent.get(name)).text());
  }
}
