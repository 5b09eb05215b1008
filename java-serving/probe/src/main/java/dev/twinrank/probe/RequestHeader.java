package dev.twinrank.probe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.twinrank.probe.ProtocolException.Code;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A request's header: one JSON object, {@code op} among its members. Immutable.
 *
 * <p>Its values are strings, integers, booleans, arrays and objects of those; there is no {@code
 * null} and no fraction.
 *
 * @param op the operation
 * @param fields the other members
 */
record RequestHeader(String op, Map<String, Object> fields) {
  private static final int MAX_DEPTH = 8;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
          .build();

  RequestHeader {
    fields = Map.copyOf(fields);
  }

  /**
   * Reads a header.
   *
   * @throws ProtocolException {@code invalid_header} if it is not such an object
   */
  static RequestHeader read(byte[] utf8) {
    Map<String, Object> members = members(utf8);
    if (!(members.remove("op") instanceof String op)) {
      throw invalid("the header has no 'op' that is a string");
    }
    return new RequestHeader(op, members);
  }

  private static Map<String, Object> members(byte[] utf8) {
    try (JsonParser parser = JSON.createParser(text(utf8))) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw invalid("the header is no JSON object");
      }
      Map<String, Object> members = object(parser, "the header");
      if (parser.nextToken() != null) {
        throw invalid("something follows the header's JSON object");
      }
      return members;
    } catch (IOException e) {
      throw new ProtocolException(
          Code.INVALID_HEADER, "the header is no JSON: " + e.getMessage(), e);
    }
  }

  private static Map<String, Object> object(JsonParser parser, String where) throws IOException {
    Map<String, Object> members = new LinkedHashMap<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      members.put(name, value(parser, "'" + name + "' in " + where));
    }
    return members;
  }

  private static Object value(JsonParser parser, String where) throws IOException {
    return switch (parser.currentToken()) {
      case VALUE_STRING -> parser.getText();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NUMBER_INT -> parser.getLongValue();
      case START_OBJECT -> object(parser, where);
      case START_ARRAY -> {
        List<Object> values = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          values.add(value(parser, where));
        }
        yield values;
      }
      default -> throw invalid(where + " is neither string, integer, boolean, array nor object");
    };
  }

  // Decoded here because the parser guesses UTF-16 and UTF-32 from bytes, and the protocol has only
  // UTF-8.
  private static String text(byte[] utf8) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      throw new ProtocolException(Code.INVALID_HEADER, "the header is no UTF-8", e);
    }
  }

  /**
   * Returns a member that is text.
   *
   * @throws ProtocolException {@code invalid_header} if it is something else
   */
  Optional<String> text(String name) {
    return Optional.ofNullable(fields.get(name)).map(value -> as(String.class, value, name));
  }

  /**
   * Returns a member that the operation cannot do without.
   *
   * @throws ProtocolException {@code invalid_header} if it is absent or no text
   */
  String needed(String name) {
    return text(name).orElseThrow(() -> invalid("'%s' needs '%s'".formatted(op, name)));
  }

  /**
   * Returns a member that is a list, empty if it is absent.
   *
   * @throws ProtocolException {@code invalid_header} if it or an element is something else
   */
  <T> List<T> list(String name, Class<T> element) {
    List<T> elements = new ArrayList<>();
    List<?> given = as(List.class, fields.getOrDefault(name, List.of()), name);
    given.forEach(each -> elements.add(as(element, each, name)));
    return elements;
  }

  /**
   * Returns a member that is an object, empty if it is absent.
   *
   * @throws ProtocolException {@code invalid_header} if it is something else
   */
  Members object(String name) {
    return new Members(
        "'" + name + "' of '" + op + "'", as(Map.class, fields.getOrDefault(name, Map.of()), name));
  }

  private <T> T as(Class<T> kind, Object value, String name) {
    return cast(kind, value, "'" + name + "' in the header of '" + op + "'");
  }

  /**
   * Refuses members that the operation does not take.
   *
   * @throws ProtocolException {@code invalid_header} if there is one
   */
  void allow(Set<String> names) {
    new Members("the header of '" + op + "'", fields).allow(names);
  }

  static ProtocolException invalid(String what) {
    return new ProtocolException(Code.INVALID_HEADER, what);
  }

  private static <T> T cast(Class<T> kind, Object value, String where) {
    if (!kind.isInstance(value)) {
      throw invalid("%s is of the wrong type: %s is needed".formatted(where, kind.getSimpleName()));
    }
    return kind.cast(value);
  }

  /**
   * An object within a header.
   *
   * @param where what messages call it
   * @param values its members
   */
  record Members(String where, Map<?, ?> values) {

    /** Returns a member, or what stands for it if it is absent. */
    <T> T get(String name, Class<T> kind, T absent) {
      Object value = values.get(name);
      return value == null ? absent : cast(kind, value, "'" + name + "' in " + where);
    }

    /** Returns a member that must be there. */
    <T> T get(String name, Class<T> kind) {
      T value = get(name, kind, null);
      if (value == null) {
        throw invalid("%s has no '%s'".formatted(where, name));
      }
      return value;
    }

    void allow(Set<String> names) {
      for (Object name : values.keySet()) {
        if (!names.contains(name)) {
          throw invalid(
              "%s has the member '%s'; it takes %s"
                  .formatted(
                      where, name, names.isEmpty() ? "none" : names.stream().sorted().toList()));
        }
      }
    }
  }
}
