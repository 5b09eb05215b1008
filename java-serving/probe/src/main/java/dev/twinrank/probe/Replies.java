package dev.twinrank.probe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import dev.twinrank.core.BundleException;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.Problem;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Runtimes;
import dev.twinrank.core.Scores;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.probe.Value.Named;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The response frames of the protocol. */
final class Replies {
  // ASCII output, because a lone surrogate in a name that a client sent has no UTF-8 but has an
  // escape.
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

  private Replies() {}

  @FunctionalInterface
  private interface Members {
    void writeTo(JsonGenerator json) throws IOException;
  }

  static Answer hello() {
    Fingerprints.begin(); // runs while the runtime starts
    return reply(
        json -> {
          json.writeNumberField("protocol", Testee.PROTOCOL);
          json.writeStringField("implementation", "twinrank-java/" + BuildInfo.VERSION);
          json.writeStringField("runtime", Runtimes.runtime());
          json.writeStringField("host_class", Runtimes.hostClass());
          strings(json, "ops", Testee.operations(Runtimes.engine()));
          json.writeObjectFieldStart("facts");
          json.writeStringField("engine", Runtimes.engine());
          json.writeStringField("java", Runtime.version().toString());
          json.writeStringField("vm", System.getProperty("java.vm.name"));
          json.writeStringField("vendor", System.getProperty("java.vendor"));
          json.writeStringField("os", System.getProperty("os.name"));
          json.writeStringField("os_version", System.getProperty("os.version"));
          json.writeStringField("arch", System.getProperty("os.arch"));
          json.writeNumberField("processors", Runtime.getRuntime().availableProcessors());
          for (Map.Entry<String, String> fact : Fingerprints.get().entrySet()) {
            json.writeStringField(fact.getKey(), fact.getValue());
          }
          json.writeEndObject();
        });
  }

  static Answer loaded(Model model) {
    return reply(
        json -> {
          json.writeStringField("model", model.name());
          json.writeStringField("bundle", model.digest());
          json.writeStringField("verification", model.verification().state().label());
          json.writeStringField("signature", model.verification().signature().label());
          json.writeBooleanField("attested", model.verification().attested());
          json.writeArrayFieldStart("allowed");
          for (Allowed allowed : model.verification().allowed()) {
            json.writeStartObject();
            json.writeStringField("finding", allowed.finding());
            json.writeStringField("detail", allowed.detail());
            json.writeStringField("reason", allowed.reason());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeArrayFieldStart("heads");
          for (Head head : model.heads()) {
            json.writeStartObject();
            json.writeStringField("name", head.name());
            json.writeStringField("dtype", head.dtype().label());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeObjectFieldStart("score");
          json.writeStringField("dtype", model.score().dtype().label());
          json.writeEndObject();
        });
  }

  static Answer scored(Ranking ranking) {
    Scores scores = ranking.scores();
    List<ByteBuffer> values = new ArrayList<>();
    for (int head = 0; head < scores.heads().size(); head++) {
      values.add(scores.values(head));
    }
    values.add(scores.scores());
    return reply(
        json -> {
          json.writeNumberField("n", scores.candidates());
          json.writeArrayFieldStart("order");
          for (Ranking.Entry entry : ranking.entries()) {
            json.writeNumber(entry.index());
          }
          json.writeEndArray();
          json.writeArrayFieldStart("dropped");
          for (Ranking.Dropped dropped : ranking.dropped()) {
            json.writeNumber(dropped.index());
          }
          json.writeEndArray();
        },
        values);
  }

  static Answer scored(Batch batch) {
    return reply(
        json -> {
          numbers(json, "n", batch.candidates());
          numbers(json, "ranked", batch.ranked());
          numbers(json, "dropped", batch.dropped());
          json.writeArrayFieldStart("errors");
          for (Batch.Refusal refusal : batch.refusals()) {
            json.writeStartObject();
            json.writeNumberField("request", refusal.request());
            json.writeStringField("code", refusal.reason().code().code());
            place(json, refusal.reason());
            json.writeEndObject();
          }
          json.writeEndArray();
        },
        batch.body());
  }

  private static void numbers(JsonGenerator json, String name, List<Integer> numbers)
      throws IOException {
    json.writeFieldName(name);
    json.writeArray(numbers.stream().mapToInt(Integer::intValue).toArray(), 0, numbers.size());
  }

  private static void strings(JsonGenerator json, String name, List<String> strings)
      throws IOException {
    json.writeFieldName(name);
    json.writeArray(strings.toArray(String[]::new), 0, strings.size());
  }

  static Answer opened(GraphTypes types) {
    return reply(
        json -> {
          types(json, "inputs", types.inputs());
          types(json, "outputs", types.outputs());
        });
  }

  private static void types(JsonGenerator json, String name, Map<String, String> types)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (Map.Entry<String, String> each : types.entrySet()) {
      json.writeStartObject();
      json.writeStringField("name", each.getKey());
      json.writeStringField("type", each.getValue());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  static Answer ran(List<Named> outputs) {
    List<ByteBuffer> body = new ArrayList<>();
    return reply(
        json -> {
          json.writeArrayFieldStart("outputs");
          for (Named output : outputs) {
            json.writeStartObject();
            json.writeStringField("name", output.name());
            value(json, output.value(), body);
            json.writeEndObject();
          }
          json.writeEndArray();
        },
        body);
  }

  /** Writes a value's members, and adds its data to the body. */
  private static void value(JsonGenerator json, Value value, List<ByteBuffer> body)
      throws IOException {
    if (value instanceof Value.Tensor tensor) {
      json.writeStringField("kind", "tensor");
      json.writeStringField("dtype", tensor.type().label());
      json.writeFieldName("shape");
      json.writeArray(
          tensor.shape().stream().mapToLong(Long::longValue).toArray(), 0, tensor.shape().size());
      body.add(tensor.data());
    } else if (value instanceof Value.Sequence sequence) {
      json.writeStringField("kind", "sequence");
      json.writeArrayFieldStart("values");
      for (Value each : sequence.values()) {
        json.writeStartObject();
        value(json, each, body);
        json.writeEndObject();
      }
      json.writeEndArray();
    } else if (value instanceof Value.Mapping map) {
      json.writeStringField("kind", "map");
      json.writeObjectFieldStart("keys");
      value(json, map.keys(), body);
      json.writeEndObject();
      json.writeObjectFieldStart("values");
      value(json, map.values(), body);
      json.writeEndObject();
    } else if (value instanceof Value.Maybe maybe) {
      json.writeStringField("kind", "optional");
      json.writeArrayFieldStart("values");
      if (maybe.value().isPresent()) {
        json.writeStartObject();
        value(json, maybe.value().get(), body);
        json.writeEndObject();
      }
      json.writeEndArray();
    }
  }

  static Answer packed(RankRequest request) {
    List<PackedBlock> blocks = request.blocks();
    return reply(
        json -> {
          json.writeNumberField("n", request.candidates());
          json.writeArrayFieldStart("inputs");
          for (PackedBlock block : blocks) {
            json.writeStartObject();
            json.writeStringField("name", block.name());
            json.writeStringField("dtype", block.dtype().label());
            json.writeFieldName("shape");
            long[] shape = block.shape();
            json.writeArray(shape, 0, shape.length);
            json.writeEndObject();
          }
          json.writeEndArray();
        },
        blocks.stream().map(PackedBlock::data).toList());
  }

  static Answer done() {
    return reply(json -> {});
  }

  static Answer failure(ScoringException e) {
    return failure("scoring", e.code().code(), e.getMessage(), json -> place(json, e));
  }

  private static void place(JsonGenerator json, ScoringException e) throws IOException {
    if (e.feature().isPresent()) {
      json.writeStringField("feature", e.feature().get());
    }
    if (e.candidate().isPresent()) {
      json.writeNumberField("candidate", e.candidate().getAsInt());
    }
  }

  static Answer failure(GraphException e) {
    return failure("graph", e.code().text(), e.getMessage(), json -> {});
  }

  static Answer failure(BundleException e) {
    return failure(
        "bundle",
        e.code().code(),
        e.getMessage(),
        json -> {
          json.writeArrayFieldStart("problems");
          for (Problem problem : e.problems()) {
            json.writeStartObject();
            json.writeStringField("code", problem.code().code());
            json.writeStringField("path", problem.path());
            json.writeStringField("detail", problem.detail());
            json.writeEndObject();
          }
          json.writeEndArray();
        });
  }

  static Answer failure(ProtocolException e) {
    return failure("protocol", e.code().text(), e.getMessage(), json -> {});
  }

  private static Answer failure(String family, String code, String message, Members more) {
    return frame(
        false,
        json -> {
          json.writeStringField("family", family);
          json.writeStringField("code", code);
          json.writeStringField("message", message);
          more.writeTo(json);
        },
        List.of());
  }

  private static Answer reply(Members members) {
    return reply(members, List.of());
  }

  private static Answer reply(Members members, List<ByteBuffer> body) {
    return frame(true, members, body);
  }

  private static Answer frame(boolean ok, Members members, List<ByteBuffer> body) {
    return new Answer(header(ok, members), body);
  }

  private static byte[] header(boolean ok, Members members) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(out)) {
      json.writeStartObject();
      json.writeBooleanField("ok", ok);
      members.writeTo(json);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return out.toByteArray();
  }
}
