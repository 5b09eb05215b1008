package dev.twinrank.core.internal.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Walks over one JSON text, token by token, with the contract's strictness. Not thread-safe.
 *
 * <p>The bytes are decoded here and the parser is given characters: given bytes, it would guess
 * UTF-16 and UTF-32, skip a byte order mark, and take overlong forms and encoded surrogates. Its
 * own limits are lifted, so that only the contract's show.
 */
public final class JsonCursor implements AutoCloseable {
  private static final int LONGEST_NUMBER = 1000;
  private static final char BYTE_ORDER_MARK = '\uFEFF';

  private final JsonParser parser;

  private JsonCursor(JsonParser parser) {
    this.parser = parser;
  }

  /**
   * Returns a factory of parsers that refuse nesting deeper than {@code maxDepth}. Field names are
   * not canonicalised: a shared symbol table is a target for colliding names.
   */
  public static JsonFactory factory(int maxDepth) {
    return JsonFactory.builder()
        .streamReadConstraints(
            StreamReadConstraints.builder()
                .maxNestingDepth(maxDepth)
                .maxNumberLength(Integer.MAX_VALUE)
                .maxStringLength(Integer.MAX_VALUE)
                .maxNameLength(Integer.MAX_VALUE)
                .build())
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
        .build();
  }

  /**
   * Starts before the first token.
   *
   * @throws InvalidJson if the bytes are not UTF-8 or begin with a byte order mark
   */
  public static JsonCursor over(byte[] text, JsonFactory factory) {
    CharBuffer chars = decode(text);
    if (chars.hasRemaining() && chars.charAt(0) == BYTE_ORDER_MARK) {
      throw new InvalidJson("the text begins with a byte order mark; leave it out", null);
    }
    try {
      char[] array = chars.array();
      int length = Surrogates.unescape(array, chars.remaining());
      return new JsonCursor(factory.createParser(array, 0, length));
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  private static CharBuffer decode(byte[] text) {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(text));
    } catch (CharacterCodingException e) {
      throw new InvalidJson(
          "the bytes are not UTF-8 (" + e.getMessage() + "); send UTF-8 without overlong forms", e);
    }
  }

  /**
   * Goes to the next token; null is the end of the text.
   *
   * @throws InvalidJson if the text departs from what is allowed
   */
  public JsonToken next() {
    try {
      boolean complete = parser.currentToken() != null && parser.getParsingContext().inRoot();
      JsonToken token = parser.nextToken();
      if (complete && token != null) {
        throw new InvalidJson("there is more after the first value; send one value", null);
      }
      if (token != null && token.isNumeric() && parser.getTextLength() > LONGEST_NUMBER) {
        throw new InvalidJson(
            "a number literal of "
                + parser.getTextLength()
                + " characters; at most "
                + LONGEST_NUMBER
                + " are allowed",
            null);
      }
      return token;
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  /** Goes to the end of the array or object that has just begun; does nothing on other tokens. */
  public void skip() {
    if (parser.currentToken().isStructStart()) {
      int depth = 1;
      while (depth > 0) {
        JsonToken token = next();
        depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
      }
    }
  }

  /** Goes to the end of the text, so that whatever is wrong with its syntax comes to light. */
  public void drain() {
    while (next() != null) {
      // Every token is checked by next().
    }
  }

  /** Returns the token that {@link #next} went to. */
  public JsonToken token() {
    return parser.currentToken();
  }

  /** Returns the current member's name. */
  public String name() {
    try {
      return parser.currentName();
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  /** Returns the current string unescaped, or the current number exactly as written. */
  public String text() {
    try {
      return parser.getText();
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  /** Returns the characters that hold {@link #text}; valid until the next token. */
  public char[] characters() {
    try {
      return parser.getTextCharacters();
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  /** Returns where {@link #text} begins in {@link #characters}. */
  public int offset() {
    try {
      return parser.getTextOffset();
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  /** Returns the number of characters of {@link #text}. */
  public int length() {
    try {
      return parser.getTextLength();
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  /** Returns the current value for a message: its JSON type and, where it is short, itself. */
  public String describe() {
    return switch (token()) {
      case START_OBJECT -> "an object";
      case START_ARRAY -> "an array";
      case VALUE_STRING -> "the string " + Quote.of(text());
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "the number " + Quote.of(text());
      default -> text();
    };
  }

  @Override
  public void close() {
    try {
      parser.close();
    } catch (IOException e) {
      throw invalid(e);
    }
  }

  private static InvalidJson invalid(IOException e) {
    String message =
        e instanceof JsonProcessingException json ? json.getOriginalMessage() : e.getMessage();
    String where =
        e instanceof JsonProcessingException json && json.getLocation() != null
            ? " at line "
                + json.getLocation().getLineNr()
                + ", column "
                + json.getLocation().getColumnNr()
            : "";
    // Jackson names the place where an unfinished object began by a source that it does not show.
    String plain = message.replaceAll(" \\(start marker at [^)]*\\)[^)]*\\)", "");
    return new InvalidJson(Quote.message(plain) + where, e);
  }
}
