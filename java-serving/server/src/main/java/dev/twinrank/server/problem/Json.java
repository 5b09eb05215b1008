package dev.twinrank.server.problem;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** JSON texts as the contract's responses want them. */
public final class Json {
  // ASCII output, because a lone surrogate in a name that a client sent has no UTF-8 but has an
  // escape.
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
          .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
          .build();

  private Json() {}

  @FunctionalInterface
  public interface Writer {
    void writeTo(JsonGenerator json) throws IOException;
  }

  /** Returns the UTF-8 bytes of the object whose members {@code members} writes. */
  public static byte[] object(Writer members) {
    return text(
        json -> {
          json.writeStartObject();
          members.writeTo(json);
          json.writeEndObject();
        });
  }

  /** Returns the UTF-8 bytes of the array whose elements {@code elements} writes. */
  public static byte[] array(Writer elements) {
    return text(
        json -> {
          json.writeStartArray();
          elements.writeTo(json);
          json.writeEndArray();
        });
  }

  private static byte[] text(Writer value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      value.writeTo(json);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return out.toByteArray();
  }

  /**
   * Writes a member that reads back as the same float64; NaN and the infinities are the contract's
   * three strings.
   */
  public static void writeNumber(JsonGenerator json, String name, double value) throws IOException {
    json.writeFieldName(name);
    writeNumber(json, value);
  }

  /** Writes a value likewise, where a member's name or an array's element is due. */
  public static void writeNumber(JsonGenerator json, double value) throws IOException {
    if (Double.isFinite(value)) {
      json.writeNumber(value);
    } else {
      json.writeString(Double.toString(value));
    }
  }
}
