package dev.twinrank.server.ops;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.core.DType;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Scores;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the request log keeps of a request, apart from the memory that it was scored in. */
final class Sample {
  private final byte[] request;
  private final Map<String, Packed> outputs = new LinkedHashMap<>();
  private final int[] order;

  private Sample(byte[] request, int[] order) {
    this.request = request;
    this.order = order;
  }

  /**
   * Copies what is to be kept: of each head and of {@code score} the values of all candidates in
   * input order, and the indices of the ranked ones, best first.
   *
   * @param request the raw request as JSON in UTF-8; not to be changed
   */
  static Sample of(byte[] request, Model model, Ranking ranking) {
    int[] order = new int[ranking.size()];
    for (int place = 0; place < order.length; place++) {
      order[place] = ranking.index(place);
    }
    Sample sample = new Sample(request, order);
    Scores scores = ranking.scores();
    for (int head = 0; head < scores.heads().size(); head++) {
      Head each = scores.heads().get(head);
      Packed packed = new Packed(each.dtype(), scores.candidates());
      for (int i = 0; i < scores.candidates(); i++) {
        packed.put(scores.bits(head, i));
      }
      sample.outputs.put(each.name(), packed);
    }
    Packed score = new Packed(model.score().dtype(), scores.candidates());
    for (int i = 0; i < scores.candidates(); i++) {
      score.put(scores.scoreBits(i));
    }
    sample.outputs.put("score", score);
    return sample;
  }

  /** Writes the members {@code request}, {@code outputs} and {@code order}. */
  void write(JsonGenerator json) throws IOException {
    json.writeFieldName("request");
    json.writeRawValue(oneLine(request));
    json.writeObjectFieldStart("outputs");
    for (Map.Entry<String, Packed> each : outputs.entrySet()) {
      json.writeObjectFieldStart(each.getKey());
      json.writeStringField("dtype", each.getValue().dtype.label());
      json.writeStringField(
          "bits", Base64.getEncoder().encodeToString(each.getValue().bytes.array()));
      json.writeEndObject();
    }
    json.writeEndObject();
    json.writeFieldName("order");
    json.writeArray(order, 0, order.length);
  }

  /** In JSON that was accepted, a line break is white space: inside a string it is escaped. */
  private static String oneLine(byte[] request) {
    return new String(request, StandardCharsets.UTF_8).replace('\n', ' ').replace('\r', ' ');
  }

  /** The values of one output, little-endian. */
  private static final class Packed {
    private final DType dtype;
    private final ByteBuffer bytes;

    Packed(DType dtype, int count) {
      this.dtype = dtype;
      this.bytes =
          ByteBuffer.allocate(count * (dtype == DType.FLOAT32 ? Float.BYTES : Double.BYTES))
              .order(ByteOrder.LITTLE_ENDIAN);
    }

    void put(long bits) {
      ByteBuffer unused = dtype == DType.FLOAT32 ? bytes.putInt((int) bits) : bytes.putLong(bits);
    }
  }
}
