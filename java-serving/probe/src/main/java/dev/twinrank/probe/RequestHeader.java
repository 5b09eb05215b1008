package dev.twinrank.probe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.twinrank.probe.ProtocolException.Code;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A request's header: one flat JSON object of strings, {@code op} among them. Immutable.
 *
 * @param op the operation
 * @param fields the other members
 */
record RequestHeader(String op, Map<String, String> fields) {
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  RequestHeader {
    fields = Map.copyOf(fields);
  }

  /**
   * Reads a header.
   *
   * @throws ProtocolException {@code invalid_header} if it is not one JSON object of strings with
   *     an {@code op}
   */
  static RequestHeader read(byte[] utf8) {
    Map<String, String> members = members(utf8);
    String op = members.remove("op");
    if (op == null) {
      throw new ProtocolException(Code.INVALID_HEADER, "the header has no 'op'");
    }
    return new RequestHeader(op, members);
  }

  private static Map<String, String> members(byte[] utf8) {
    Map<String, String> members = new LinkedHashMap<>();
    try (JsonParser parser = JSON.createParser(text(utf8))) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new ProtocolException(Code.INVALID_HEADER, "the header is no JSON object");
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        if (parser.nextToken() != JsonToken.VALUE_STRING) {
          throw new ProtocolException(
              Code.INVALID_HEADER, "'" + name + "' in the header is no string");
        }
        members.put(name, parser.getText());
      }
      if (parser.nextToken() != null) {
        throw new ProtocolException(
            Code.INVALID_HEADER, "something follows the header's JSON object");
      }
      return members;
    } catch (IOException e) {
      throw new ProtocolException(
          Code.INVALID_HEADER, "the header is no JSON: " + e.getMessage(), e);
    }
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

  Optional<String> field(String name) {
    return Optional.ofNullable(fields.get(name));
  }

  /**
   * Refuses members that the operation does not take.
   *
   * @throws ProtocolException {@code invalid_header} if there is one
   */
  void allow(Set<String> names) {
    for (String name : fields.keySet()) {
      if (!names.contains(name)) {
        throw new ProtocolException(
            Code.INVALID_HEADER,
            "the header of '%s' has the member '%s'; it takes %s"
                .formatted(op, name, names.isEmpty() ? "none" : names.stream().sorted().toList()));
      }
    }
  }
}
