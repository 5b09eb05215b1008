package dev.twinrank.server.oip;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.server.problem.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Writes answers as bodies of HTTP: JSON, and behind it the tensors that are wanted in binary. */
final class InferWriter {
  private static final String BINARY = "binary_data";

  /** A body: JSON, and whatever follows it. Immutable as long as nobody writes to its bytes. */
  static final class Body {
    private final byte[] bytes;
    private final OptionalInt headerLength;

    private Body(byte[] bytes, OptionalInt headerLength) {
      this.bytes = bytes;
      this.headerLength = headerLength;
    }

    /** Returns all of it, not a copy. */
    byte[] bytes() {
      return bytes;
    }

    /** Returns how many of the bytes are JSON, if others follow. */
    OptionalInt headerLength() {
      return headerLength;
    }
  }

  private InferWriter() {}

  /**
   * Makes sure that a request's parameters of its outputs mean something.
   *
   * @throws dev.twinrank.server.problem.Refusal {@code invalid_request}
   */
  static void check(InferRequest request) {
    requireBoolean(Parameters.BINARY_OUTPUT, request.parameters().get(Parameters.BINARY_OUTPUT));
    for (RequestedOutput output : request.outputs()) {
      for (String name : output.parameters().keySet()) {
        if (!name.equals(BINARY)) {
          throw OipProblems.request(
              "output %s has a parameter %s; it may have binary_data"
                  .formatted(OipProblems.quoted(output.name()), OipProblems.quoted(name)));
        }
      }
      requireBoolean(BINARY, output.parameters().get(BINARY));
    }
  }

  private static void requireBoolean(String name, Object value) {
    if (value != null && !(value instanceof Boolean)) {
      throw OipProblems.request("parameter '%s' is neither true nor false".formatted(name));
    }
  }

  /** Returns the body of an answer. */
  static Body write(InferRequest request, InferResponse response) {
    List<Tensor> binary = new ArrayList<>();
    byte[] json =
        Json.object(
            generator -> {
              generator.writeStringField("model_name", response.model());
              generator.writeStringField("model_version", Long.toString(response.version()));
              if (response.id().isPresent()) {
                generator.writeStringField("id", response.id().get());
              }
              generator.writeObjectFieldStart("parameters");
              generator.writeStringField("bundle", response.bundle());
              generator.writeEndObject();
              generator.writeArrayFieldStart("outputs");
              for (int i = 0; i < response.outputs().size(); i++) {
                Tensor tensor = response.outputs().get(i);
                boolean inBinary = inBinary(request, i);
                if (inBinary) {
                  binary.add(tensor);
                }
                output(generator, tensor, inBinary);
              }
              generator.writeEndArray();
            });
    if (binary.isEmpty()) {
      return new Body(json, OptionalInt.empty());
    }
    int length = json.length;
    for (Tensor tensor : binary) {
      length = Math.addExact(length, tensor.memory().limit());
    }
    ByteBuffer body = ByteBuffer.allocate(length).put(json);
    for (Tensor tensor : binary) {
      body.put(tensor.data());
    }
    return new Body(body.array(), OptionalInt.of(json.length));
  }

  /** An output's own word counts, and the request's where it has none. */
  private static boolean inBinary(InferRequest request, int output) {
    Object all = request.parameters().get(Parameters.BINARY_OUTPUT);
    Object own =
        request.outputs().isEmpty() ? null : request.outputs().get(output).parameters().get(BINARY);
    return Boolean.TRUE.equals(own == null ? all : own);
  }

  // An output gets no parameters but binary_data_size: C++ clients fail on one that has others.
  private static void output(JsonGenerator json, Tensor tensor, boolean inBinary)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("name", tensor.name());
    json.writeStringField("datatype", tensor.datatype().name());
    json.writeArrayFieldStart("shape");
    for (long size : tensor.shape()) {
      json.writeNumber(size);
    }
    json.writeEndArray();
    if (inBinary) {
      json.writeObjectFieldStart("parameters");
      json.writeNumberField("binary_data_size", tensor.memory().limit());
      json.writeEndObject();
    } else {
      json.writeArrayFieldStart("data");
      for (int i = 0; i < tensor.elements(); i++) {
        element(json, tensor, i);
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }

  private static void element(JsonGenerator json, Tensor tensor, int element) throws IOException {
    if (tensor.datatype().kind().integer()) {
      json.writeNumber(tensor.integer(element));
      return;
    }
    double value = tensor.decimal(element);
    if (Double.isFinite(value)) {
      json.writeNumber(value);
    } else {
      json.writeString(Double.toString(value)); // JSON has no number for it; as the contract does
    }
  }
}
