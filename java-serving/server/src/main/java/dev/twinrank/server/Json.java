package dev.twinrank.server;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** JSON texts as the contract's responses want them. */
final class Json {
  // ASCII output, because a lone surrogate in a name that a client sent has no UTF-8 but has an
  // escape.
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
          .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
          .build();

  private Json() {}

  @FunctionalInterface
  interface Writer {
    void writeTo(JsonGenerator json) throws IOException;
  }

  /** Returns the UTF-8 bytes of the object whose members {@code members} writes. */
  static byte[] object(Writer members) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = FACTORY.createGenerator(out)) {
      json.writeStartObject();
      members.writeTo(json);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return out.toByteArray();
  }

  /**
   * Writes a member that reads back as the same float64; NaN and the infinities are the contract's
   * three strings.
   */
  static void writeNumber(JsonGenerator json, String name, double value) throws IOException {
    if (Double.isFinite(value)) {
      json.writeNumberField(name, value);
    } else {
      json.writeStringField(name, Double.toString(value));
    }
  }
}
