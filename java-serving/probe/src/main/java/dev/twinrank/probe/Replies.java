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
import dev.twinrank.probe.ProtocolException.Code;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

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

  static byte[] hello() {
    return reply(
        json -> {
          json.writeNumberField("protocol", Testee.PROTOCOL);
          json.writeStringField("implementation", "twinrank-java/" + BuildInfo.VERSION);
          json.writeStringField("runtime", Runtimes.runtime());
          json.writeStringField("host_class", Runtimes.hostClass());
          json.writeObjectFieldStart("facts");
          json.writeStringField("engine", Runtimes.engine());
          json.writeStringField("java", Runtime.version().toString());
          json.writeStringField("vm", System.getProperty("java.vm.name"));
          json.writeStringField("vendor", System.getProperty("java.vendor"));
          json.writeStringField("os", System.getProperty("os.name"));
          json.writeStringField("os_version", System.getProperty("os.version"));
          json.writeStringField("arch", System.getProperty("os.arch"));
          json.writeNumberField("processors", Runtime.getRuntime().availableProcessors());
          json.writeEndObject();
        });
  }

  static byte[] loaded(Model model) {
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

  static byte[] scored(Ranking ranking) {
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

  static byte[] packed(RankRequest request) {
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

  static byte[] done() {
    return reply(json -> {});
  }

  static byte[] failure(ScoringException e) {
    return failure(
        "scoring",
        e.code().code(),
        e.getMessage(),
        json -> {
          if (e.feature().isPresent()) {
            json.writeStringField("feature", e.feature().get());
          }
          if (e.candidate().isPresent()) {
            json.writeNumberField("candidate", e.candidate().getAsInt());
          }
        });
  }

  static byte[] failure(BundleException e) {
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

  static byte[] failure(ProtocolException e) {
    return failure("protocol", e.code().text(), e.getMessage(), json -> {});
  }

  private static byte[] failure(String family, String code, String message, Members more) {
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

  private static byte[] reply(Members members) {
    return reply(members, List.of());
  }

  private static byte[] reply(Members members, List<ByteBuffer> body) {
    return frame(true, members, body);
  }

  private static byte[] frame(boolean ok, Members members, List<ByteBuffer> parts) {
    byte[] header = header(ok, members);
    long size = 0;
    for (ByteBuffer part : parts) {
      size += part.remaining();
    }
    if (size > Frame.MAX_PART_BYTES || header.length > Frame.MAX_PART_BYTES) {
      throw new ProtocolException(
          Code.RESPONSE_TOO_LARGE,
          "the answer has a header of %d bytes and a body of %d; at most %d each are allowed. Send fewer candidates"
              .formatted(header.length, size, Frame.MAX_PART_BYTES));
    }
    ByteBuffer body = ByteBuffer.allocate((int) size);
    parts.forEach(body::put);
    return new Frame(header, body.array()).encode();
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
