package dev.twinrank.core.internal.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonToken;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a whole JSON text into plain values: {@code Map<String, Object>} in document order, {@code
 * List<Object>}, {@code String}, {@code Boolean}, {@link Literal} and {@link #NULL}.
 */
public final class JsonTree {
  /** Stands for {@code null}, so that no container holds a Java null. */
  public static final Object NULL =
      new Object() {
        @Override
        public String toString() {
          return "null";
        }
      };

  /**
   * A number literal exactly as written.
   *
   * @param text the literal
   * @param integer whether it has neither fraction nor exponent
   */
  public record Literal(String text, boolean integer) {
    @Override
    public String toString() {
      return text;
    }
  }

  private JsonTree() {}

  /**
   * Reads one value and the end of the text.
   *
   * @throws InvalidJson if the text departs from what is allowed
   */
  public static Object read(byte[] text, JsonFactory factory) {
    try (JsonCursor cursor = JsonCursor.over(text, factory)) {
      if (cursor.next() == null) {
        throw new InvalidJson("the text is empty", null);
      }
      Object value = value(cursor);
      cursor.drain();
      return value;
    }
  }

  /**
   * Reads one value as {@link #read} does, and refuses what no other system could store: strings
   * with a lone surrogate, and numbers that overflow float64.
   */
  public static Object readSound(byte[] text, JsonFactory factory) {
    Object value = read(text, factory);
    check(value);
    return value;
  }

  private static void check(Object value) {
    if (value instanceof Map<?, ?> members) {
      members.keySet().forEach(JsonTree::check);
      members.values().forEach(JsonTree::check);
    } else if (value instanceof List<?> elements) {
      elements.forEach(JsonTree::check);
    } else if (value instanceof String text
        && !StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
      throw new InvalidJson("the string " + Quote.of(text) + " holds a lone surrogate", null);
    } else if (value instanceof Literal literal
        && !literal.integer()
        && Double.isInfinite(Double.parseDouble(literal.text()))) {
      throw new InvalidJson("the number " + Quote.of(literal.text()) + " overflows", null);
    }
  }

  // The depth of this recursion is bounded by the factory's limit on nesting.
  private static Object value(JsonCursor cursor) {
    return switch (cursor.token()) {
      case START_OBJECT -> object(cursor);
      case START_ARRAY -> array(cursor);
      case VALUE_STRING -> cursor.text();
      case VALUE_NUMBER_INT -> integer(cursor.text());
      case VALUE_NUMBER_FLOAT -> new Literal(cursor.text(), false);
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NULL -> NULL;
      default -> throw new IllegalStateException("no value begins with " + cursor.token());
    };
  }

  // An integer has one zero, so that equal integers are equal literals.
  private static Literal integer(String text) {
    return new Literal(text.equals("-0") ? "0" : text, true);
  }

  private static Map<String, Object> object(JsonCursor cursor) {
    Map<String, Object> members = new LinkedHashMap<>();
    while (cursor.next() == JsonToken.FIELD_NAME) {
      String name = cursor.name();
      cursor.next();
      members.put(name, value(cursor));
    }
    return members;
  }

  private static List<Object> array(JsonCursor cursor) {
    List<Object> elements = new ArrayList<>();
    while (cursor.next() != JsonToken.END_ARRAY) {
      elements.add(value(cursor));
    }
    return elements;
  }
}
