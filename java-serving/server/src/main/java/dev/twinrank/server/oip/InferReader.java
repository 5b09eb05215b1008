package dev.twinrank.server.oip;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.twinrank.core.ErrorCode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the body of a request over HTTP: JSON, and behind it the data of those tensors that come in
 * binary form. Tensors refer to the body. Not thread-safe, used once.
 */
final class InferReader {
  private static final String BINARY_SIZE = "binary_data_size";
  private static final char BYTE_ORDER_MARK = '\uFEFF';
  private static final int DEEPEST = 64;
  private static final int LONGEST_NUMBER = 1000;
  private static final int MOST_DIMENSIONS = 32;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(DEEPEST)
                  .maxNumberLength(LONGEST_NUMBER)
                  .maxStringLength(Integer.MAX_VALUE)
                  .maxNameLength(Integer.MAX_VALUE)
                  .build())
          // A shared table of names is a target for colliding ones.
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private final byte[] body;
  private final int headerLength;
  private final char[] text;
  private int binaryAt;

  private InferReader(byte[] body, int headerLength, char[] text) {
    this.body = body;
    this.headerLength = headerLength;
    this.text = text;
    this.binaryAt = headerLength;
  }

  /**
   * Reads a body.
   *
   * @param headerLength how many of its bytes are JSON
   * @throws dev.twinrank.server.problem.Refusal {@code invalid_json}, {@code invalid_request} or
   *     {@code invalid_tensor}
   */
  static InferRequest read(byte[] body, int headerLength) {
    CharBuffer text = decode(body, headerLength);
    InferReader reader = new InferReader(body, headerLength, text.array());
    try (JsonParser json = FACTORY.createParser(text.array(), 0, text.remaining())) {
      InferRequest request = reader.request(json);
      if (json.nextToken() != null) {
        throw invalid("there is more after the object");
      }
      if (reader.binaryAt != body.length) {
        throw OipProblems.request(
            "the body has %d bytes after its JSON, but the inputs' binary_data_size add up to %d"
                .formatted(body.length - headerLength, reader.binaryAt - headerLength));
      }
      return request;
    } catch (JsonProcessingException e) {
      throw invalid(e.getOriginalMessage());
    } catch (IOException e) {
      throw invalid(e.getMessage());
    }
  }

  // Given bytes, the parser would guess UTF-16 and UTF-32, skip a byte order mark, and take
  // overlong
  // forms and surrogates.
  private static CharBuffer decode(byte[] text, int length) {
    try {
      CharBuffer chars =
          StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(text, 0, length));
      if (chars.hasRemaining() && chars.charAt(0) == BYTE_ORDER_MARK) {
        throw invalid("the text begins with a byte order mark; leave it out");
      }
      return chars;
    } catch (CharacterCodingException e) {
      throw invalid("the bytes are not UTF-8: " + e.getMessage());
    }
  }

  private static RuntimeException invalid(String detail) {
    return OipProblems.of(ErrorCode.INVALID_JSON, detail, Optional.empty());
  }

  private InferRequest request(JsonParser json) throws IOException {
    JsonToken first = json.nextToken();
    if (first == null) {
      throw invalid("there is no JSON");
    }
    if (first != JsonToken.START_OBJECT) {
      throw OipProblems.request("the body is no JSON object");
    }
    Optional<String> id = Optional.empty();
    Map<String, Object> parameters = Map.of();
    List<Tensor> inputs = null;
    List<RequestedOutput> outputs = List.of();
    Set<String> seen = new HashSet<>();
    for (String name = next(json, seen); name != null; name = next(json, seen)) {
      switch (name) {
        case "id" -> id = Optional.of(string(json, "id"));
        case "parameters" -> parameters = parameters(json);
        case "inputs" -> inputs = inputs(json);
        case "outputs" -> outputs = outputs(json);
        default ->
            throw OipProblems.request(
                "the request has a member "
                    + OipProblems.quoted(name)
                    + "; it may have id, parameters, inputs and outputs");
      }
    }
    if (inputs == null) {
      throw OipProblems.request("the request has no inputs");
    }
    return new InferRequest(id, parameters, inputs, outputs);
  }

  /** Goes to the next member's value, and returns its name; null at the end of the object. */
  private static String next(JsonParser json, Set<String> seen) throws IOException {
    if (json.nextToken() == JsonToken.END_OBJECT) {
      return null;
    }
    String name = json.currentName();
    if (!seen.add(name)) {
      throw invalid("an object has the member " + OipProblems.quoted(name) + " twice");
    }
    json.nextToken();
    return name;
  }

  private static String string(JsonParser json, String what) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_STRING) {
      throw OipProblems.request(what + " is no string");
    }
    return json.getText();
  }

  private static void require(JsonParser json, JsonToken token, String what) {
    if (json.currentToken() != token) {
      throw OipProblems.request(
          what + (token == JsonToken.START_ARRAY ? " is no array" : " is no object"));
    }
  }

  private static Map<String, Object> parameters(JsonParser json) throws IOException {
    require(json, JsonToken.START_OBJECT, "parameters");
    Map<String, Object> parameters = new HashMap<>();
    Set<String> seen = new HashSet<>();
    for (String name = next(json, seen); name != null; name = next(json, seen)) {
      Object value =
          switch (json.currentToken()) {
            case VALUE_STRING -> json.getText();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NUMBER_INT -> integer(json, name);
            case VALUE_NUMBER_FLOAT -> json.getDoubleValue();
            default ->
                throw OipProblems.request(
                    "parameter "
                        + OipProblems.quoted(name)
                        + " is no string, number, true or false");
          };
      parameters.put(name, value);
    }
    return parameters;
  }

  private static long integer(JsonParser json, String what) throws IOException {
    if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
        || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      throw OipProblems.request(
          OipProblems.quoted(what)
              + " is "
              + OipProblems.quoted(json.getText())
              + "; send an integer of 64 bits");
    }
    return json.getLongValue();
  }

  private List<Tensor> inputs(JsonParser json) throws IOException {
    require(json, JsonToken.START_ARRAY, "inputs");
    List<Tensor> inputs = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      require(json, JsonToken.START_OBJECT, "an element of inputs");
      inputs.add(input(json));
    }
    return inputs;
  }

  private static List<RequestedOutput> outputs(JsonParser json) throws IOException {
    require(json, JsonToken.START_ARRAY, "outputs");
    List<RequestedOutput> outputs = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      require(json, JsonToken.START_OBJECT, "an element of outputs");
      String of = null;
      Map<String, Object> parameters = Map.of();
      Set<String> seen = new HashSet<>();
      for (String name = next(json, seen); name != null; name = next(json, seen)) {
        switch (name) {
          case "name" -> of = string(json, "the name of an output");
          case "parameters" -> parameters = parameters(json);
          default ->
              throw OipProblems.request(
                  "an output has a member "
                      + OipProblems.quoted(name)
                      + "; it may have name and parameters");
        }
      }
      if (of == null) {
        throw OipProblems.request("an element of outputs has no name");
      }
      outputs.add(new RequestedOutput(of, parameters));
    }
    return outputs;
  }

  private Tensor input(JsonParser json) throws IOException {
    String of = null;
    Datatype datatype = null;
    long[] shape = null;
    Map<String, Object> parameters = Map.of();
    TensorData data = null;
    int from = -1;
    int to = -1;
    Set<String> seen = new HashSet<>();
    for (String name = next(json, seen); name != null; name = next(json, seen)) {
      switch (name) {
        case "name" -> of = string(json, "the name of an input");
        case "datatype" -> datatype = datatype(json);
        case "shape" -> shape = shape(json);
        case "parameters" -> parameters = parameters(json);
        case "data" -> {
          require(json, JsonToken.START_ARRAY, "data");
          if (of != null && datatype != null) {
            data = new TensorData(of, datatype, expected(shape)).read(json);
          } else {
            from = (int) json.currentLocation().getCharOffset() - 1;
            json.skipChildren();
            to = (int) json.currentLocation().getCharOffset();
          }
        }
        default ->
            throw OipProblems.request(
                "an input has a member "
                    + OipProblems.quoted(name)
                    + "; it may have name, datatype, shape, parameters and data");
      }
    }
    if (of == null || datatype == null || shape == null) {
      throw OipProblems.request(
          "input %s has no %s"
              .formatted(
                  of == null ? "without a name" : OipProblems.quoted(of),
                  of == null ? "name" : datatype == null ? "datatype" : "shape"));
    }
    if (from >= 0) {
      data = again(of, datatype, expected(shape), from, to);
    }
    return tensor(of, datatype, shape, parameters, data);
  }

  /** Reads data that stood before what says how to read them. */
  private TensorData again(String name, Datatype datatype, int expected, int from, int to)
      throws IOException {
    try (JsonParser json = FACTORY.createParser(text, from, to - from)) {
      json.nextToken();
      return new TensorData(name, datatype, expected).read(json);
    }
  }

  private Tensor tensor(
      String name,
      Datatype datatype,
      long[] shape,
      Map<String, Object> parameters,
      TensorData data) {
    for (String each : parameters.keySet()) {
      if (!each.equals(BINARY_SIZE)) {
        throw OipProblems.tensor(
            name,
            "has a parameter %s; an input may have binary_data_size, and shared memory is not"
                    .formatted(OipProblems.quoted(each))
                + " offered");
      }
    }
    Object size = parameters.get(BINARY_SIZE);
    if ((size == null) == (data == null)) {
      throw OipProblems.tensor(
          name,
          data == null
              ? "has neither data nor the parameter binary_data_size"
              : "has both data and the parameter binary_data_size; send one of them");
    }
    if (data != null) {
      return data.tensor(shape);
    }
    if (!(size instanceof Long bytes) || bytes < 0 || bytes > body.length - binaryAt) {
      throw OipProblems.tensor(
          name,
          "has a binary_data_size of %s, but %d bytes of the body are left for it"
              .formatted(
                  size instanceof String s ? OipProblems.quoted(s) : size, body.length - binaryAt));
    }
    ByteBuffer binary = ByteBuffer.wrap(body, binaryAt, (int) (long) bytes);
    binaryAt += (int) (long) bytes;
    return Tensor.of(name, datatype, shape, binary);
  }

  private static Datatype datatype(JsonParser json) throws IOException {
    String name = string(json, "the datatype of an input");
    return Datatype.find(name)
        .orElseThrow(
            () ->
                OipProblems.request(
                    "no datatype %s; there are %s"
                        .formatted(OipProblems.quoted(name), List.of(Datatype.values()))));
  }

  private static long[] shape(JsonParser json) throws IOException {
    require(json, JsonToken.START_ARRAY, "shape");
    long[] shape = new long[MOST_DIMENSIONS];
    int rank = 0;
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (rank == MOST_DIMENSIONS) {
        throw OipProblems.request("a shape has more than %d dimensions".formatted(rank));
      }
      long size = integer(json, "shape");
      if (size < 0) {
        throw OipProblems.request("a shape has the size %d; send the real one".formatted(size));
      }
      shape[rank++] = size;
    }
    return Arrays.copyOf(shape, rank);
  }

  /** Returns how many elements there can be at most: each takes two bytes of JSON. */
  private int expected(long[] shape) {
    long most = headerLength / 2L + 1;
    long elements = 1;
    for (int i = 0; shape != null && i < shape.length; i++) {
      elements = Math.min(most, elements * Math.min(most, shape[i]));
    }
    return (int) elements;
  }
}
