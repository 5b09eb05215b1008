package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.twinrank.core.DType;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.OipRequests.Body;
import dev.twinrank.server.OipRequests.Form;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.ModelDirectory;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.InflaterInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The Open Inference Protocol over HTTP, against the fixture bundle. Expected bits are its goldens,
 * which Python wrote, and those of the embedded model for the same raw request.
 */
class OipHttpTest {
  private static final String INFER = "/v2/models/tiny/infer";
  private static final String HEADER = "Inference-Header-Content-Length";
  private static final Charset UTF_8 = StandardCharsets.UTF_8;
  private static final int MAX_BODY = 1 << 20;

  private static RankServer server;
  private static Model embedded;
  private static Http http;

  @BeforeAll
  static void start() {
    embedded = Tiny.open();
    server =
        new RankServer(
            Settings.loopback()
                .with(new FlowSettings(MAX_BODY, 2).withQueueAge(Duration.ofMinutes(1))));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    http = new Http(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
    embedded.close();
  }

  private static Answer send(Body body) {
    HttpRequest.Builder request =
        http.request(INFER).POST(BodyPublishers.ofByteArray(body.bytes()));
    if (body.header() != body.bytes().length) {
      request.header(HEADER, Integer.toString(body.header()));
    }
    return http.send(request);
  }

  private static Answer send(String json) {
    return http.post(INFER, json.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @EnumSource(Form.class)
  void aGoldenHasItsBitsInEveryForm(Form form) {
    // Of the goldens, those whose values all have their features' types.
    for (int golden : new int[] {0, 3}) {
      JsonNode expected = Tiny.goldens().get(golden);
      Answer answer = send(OipRequests.of(Tiny.json(Tiny.requests().get(golden)), form));
      assertEquals(200, answer.status(), () -> text(answer));
      Map<String, Result> outputs = outputs(answer);
      assertEquals(bits(expected.get("score")), outputs.get("score").hex());
      expected
          .get("heads")
          .fieldNames()
          .forEachRemaining(
              head ->
                  assertEquals(
                      bits(expected.get("heads").get(head)), outputs.get(head).hex(), head));
      assertEquals(ints(expected.get("order")), outputs.get("ranking").ints());
      assertEquals(ints(expected.get("dropped")), outputs.get("dropped").ints());
    }
  }

  @ParameterizedTest
  @EnumSource(Form.class)
  void rawRequestsHaveTheBitsOfTheEmbeddedModel(Form form) {
    Random random = new Random(20261122);
    for (int i = 0; i < 60; i++) {
      JsonNode raw = RandomRequest.of(random);
      Ranking expected = embedded.rank(embedded.parse(raw.toString().getBytes(UTF_8)));
      Answer answer = send(OipRequests.of(raw, form));
      assertEquals(200, answer.status(), () -> text(answer) + raw);
      assertSame(expected, raw, outputs(answer));
    }
  }

  private static void assertSame(Ranking expected, JsonNode raw, Map<String, Result> outputs) {
    int n = raw.get("candidates").size();
    List<Head> heads = embedded.heads();
    for (int head = 0; head < heads.size(); head++) {
      Result result = outputs.get(heads.get(head).name());
      boolean narrow = heads.get(head).dtype() == DType.FLOAT32;
      for (int i = 0; i < n; i++) {
        assertEquals(
            hex(expected.scores().bits(head, i), narrow), result.hex().get(i), raw::toString);
      }
    }
    assertEquals(
        IntStream.range(0, expected.size()).mapToObj(expected::index).toList(),
        outputs.get("ranking").ints());
  }

  @Test
  void namedOutputsComeAloneInTheirOrderAndForm() {
    JsonNode raw = Tiny.json(Tiny.requests().get(0));
    ObjectNode request = json(OipRequests.of(raw, Form.FLAT));
    request
        .putArray("outputs")
        .addObject()
        .put("name", "score")
        .putObject("parameters")
        .put("binary_data", true);
    ((ArrayNode) request.get("outputs")).addObject().put("name", "margin");
    request.put("id", "i\u00e9 7");

    Answer answer = send(request.toString());

    int header = Integer.parseInt(answer.header(HEADER));
    JsonNode head = Tiny.json(Arrays.copyOf(answer.body(), header));
    assertEquals("application/octet-stream", answer.contentType());
    assertEquals("i\u00e9 7", head.get("id").textValue());
    assertEquals("tiny", head.get("model_name").textValue());
    assertEquals("1", head.get("model_version").textValue());
    assertEquals(embedded.digest(), head.at("/parameters/bundle").textValue());
    assertEquals(
        "[{\"name\":\"score\",\"datatype\":\"FP32\",\"shape\":[1],\"parameters\":{"
            + "\"binary_data_size\":4}},{\"name\":\"margin\",\"datatype\":\"FP64\",\"shape\":[1],"
            + "\"data\":[10.75]}]",
        head.get("outputs").toString());
    assertEquals(header + 4, answer.body().length);

    // The request's own word holds where an output has none.
    ((ObjectNode) request.get("parameters")).put("binary_data_output", true);
    ((ObjectNode) request.get("outputs").get(0).get("parameters")).put("binary_data", false);
    Answer other = send(request.toString());
    Map<String, Result> outputs = outputs(other);
    assertEquals(8, Integer.parseInt(other.header(HEADER)) * -1 + other.body().length);
    assertEquals(List.of("4025800000000000"), outputs.get("margin").hex());
  }

  @Test
  void kCutsTheRankingAndNothingElse() {
    JsonNode raw = Tiny.json(Tiny.requests().get(0));
    ObjectNode three = ((ObjectNode) raw).deepCopy();
    ArrayNode candidates = (ArrayNode) three.get("candidates");
    candidates.add(candidates.get(0)).add(candidates.get(0));
    three.put("k", 2);
    Map<String, Result> outputs = outputs(send(OipRequests.of(three, Form.FLAT)));
    assertEquals(List.of(0, 1), outputs.get("ranking").ints());
    assertEquals(3, outputs.get("score").hex().size());
  }

  @ParameterizedTest
  @CsvSource({"gzip,gzip", "deflate,deflate", "identity,gzip", "gzip,'deflate, gzip;q=0'"})
  void bodiesAreEncodedBothWays(String given, String accepted) throws IOException {
    ObjectNode raw = RandomRequest.of(new Random(5), 20);
    Body body = OipRequests.of(raw, Form.BINARY);
    HttpRequest.Builder request =
        http.request(INFER)
            .header(HEADER, Integer.toString(body.header()))
            .header("Content-Encoding", given)
            .header("Accept-Encoding", accepted)
            .POST(BodyPublishers.ofByteArray(encode(body.bytes(), given)));
    Answer answer = http.send(request);

    String chosen = accepted.split(",", 2)[0];
    assertEquals(200, answer.status(), () -> text(answer));
    assertEquals(chosen, answer.header("content-encoding"));
    byte[] decoded = decode(answer.body(), chosen);
    assertSame(
        embedded.rank(embedded.parse(raw.toString().getBytes(UTF_8))),
        raw,
        outputs(decoded, answer.header(HEADER)));
  }

  @Test
  void encodingsThatAreNoneAndBodiesThatGrowAreRefused() throws IOException {
    HttpRequest.Builder bomb =
        http.request(INFER)
            .header("Content-Encoding", "gzip")
            .POST(BodyPublishers.ofByteArray(encode(new byte[MAX_BODY + 1], "gzip")));
    assertError(413, "body_too_large", http.send(bomb));
    HttpRequest.Builder plain =
        http.request(INFER).header("Content-Encoding", "gzip").POST(BodyPublishers.ofString("{}"));
    assertError(400, "invalid_http", http.send(plain));
    HttpRequest.Builder unknown =
        http.request(INFER).header("Content-Encoding", "br").POST(BodyPublishers.ofString("{}"));
    assertError(415, "unsupported_media_type", http.send(unknown));
  }

  static void assertError(int status, String code, Answer answer) {
    assertEquals(status, answer.status(), () -> text(answer));
    assertEquals("application/json", answer.contentType());
    assertEquals(code, answer.json().path("code").asText(), () -> text(answer));
    assertTrue(answer.json().get("error").textValue().startsWith(code + ": "));
  }

  @Test
  void theServerAndItsHealthAreSaidInBothStyles() {
    JsonNode card = http.get("/v2").json();
    assertEquals("twinrank", card.get("name").textValue());
    assertTrue(card.get("version").isTextual());
    assertTrue(card.get("extensions").isArray());
    for (String path : List.of("/v2/health/live", "/v2/health/ready")) {
      Answer answer = http.get(path);
      assertEquals(200, answer.status());
      assertEquals("{\"live\":true,\"ready\":true}", text(answer));
    }
  }

  @Test
  void aModelSaysWhatItTakesAndGives() {
    JsonNode card = http.get("/v2/models/tiny").json();
    assertEquals(card, http.get("/v2/models/tiny/versions/1").json());
    assertEquals("[\"1\"]", card.get("versions").toString());
    Map<String, String> inputs = new HashMap<>();
    card.get("inputs")
        .forEach(
            each ->
                inputs.put(
                    each.get("name").textValue(),
                    each.get("datatype").textValue() + each.get("shape")));
    assertEquals("BYTES[1]", inputs.get("user"));
    assertEquals("INT64[1]", inputs.get("when"));
    assertEquals("BYTES[-1]", inputs.get("tags"));
    assertEquals("FP32[3]", inputs.get("profile"));
    assertEquals("FP64[-1,2]", inputs.get("embedding"));
    assertEquals("INT64[-1]", inputs.get("codes"));
    assertEquals("INT32[-1]", inputs.get("codes.lengths"));
    assertEquals("BOOL[-1]", inputs.get("codes.present"));
    assertFalse(inputs.containsKey("stock.present"), "what may not be missing");
    List<String> outputs = new ArrayList<>();
    card.get("outputs").forEach(each -> outputs.add(each.get("name").textValue()));
    assertEquals(List.of("watched", "risky", "margin", "score", "ranking", "dropped"), outputs);
    assertEquals("{\"name\":\"tiny\",\"ready\":true}", text(http.get("/v2/models/tiny/ready")));

    JsonNode config = http.get("/v2/models/tiny/config").json();
    assertEquals(0, config.get("max_batch_size").intValue());
    assertEquals(card.get("inputs").size(), config.get("input").size());
    assertEquals("TYPE_STRING", config.at("/input/0/data_type").textValue());
    assertTrue(config.at("/input/0/optional").booleanValue());
    assertEquals(embedded.digest(), config.at("/parameters/bundle/string_value").textValue());
    assertFalse(config.at("/model_transaction_policy/decoupled").booleanValue());
  }

  @Test
  void statisticsCountEveryAnswerAndEveryRefusal() {
    JsonNode before = http.get("/v2/models/tiny/stats").json().at("/model_stats/0");
    send(OipRequests.of(Tiny.json(Tiny.requests().get(0)), Form.FLAT));
    send(OipRequests.of(Tiny.json(Tiny.requests().get(0)), Form.BINARY));
    send("{}");
    JsonNode after = http.get("/v2/models/tiny/versions/1/stats").json().at("/model_stats/0");
    assertEquals(after, http.get("/v2/models/stats").json().at("/model_stats/0"));
    assertEquals("1", after.get("version").textValue());
    for (String each : List.of("success", "queue", "compute_input", "compute_output")) {
      assertEquals(2, grown(before, after, "/inference_stats/" + each + "/count"), each);
    }
    assertEquals(2, grown(before, after, "/inference_stats/compute_infer/count"));
    assertEquals(1, grown(before, after, "/inference_stats/fail/count"));
    assertEquals(2, grown(before, after, "/inference_count"));
    assertEquals(2, grown(before, after, "/execution_count"));
    assertEquals(0, after.at("/inference_stats/cache_hit/count").intValue());
    assertEquals(0, after.at("/inference_stats/cache_miss/ns").intValue());
    assertEquals(
        after.at("/inference_stats/success/count"), after.at("/batch_stats/0/compute_infer/count"));
    assertTrue(after.get("last_inference").longValue() > 1_700_000_000_000L);
  }

  private static long grown(JsonNode before, JsonNode after, String pointer) {
    return after.at(pointer).longValue() - before.at(pointer).longValue();
  }

  @Test
  void theRepositoryIsListedAndChangedOnTheOtherListenerOnly() {
    Answer index = http.post("/v2/repository/index", new byte[0]);
    assertEquals(
        "[{\"name\":\"tiny\",\"version\":\"1\",\"state\":\"READY\",\"reason\":\"\"}]", text(index));
    for (String verb : List.of("load", "unload")) {
      assertError(403, "admin_only", http.post("/v2/repository/models/tiny/" + verb, new byte[0]));
    }
  }

  @Test
  void whatIsNotThereSaysSo() {
    assertError(404, "unknown_model", http.get("/v2/models/none"));
    assertError(404, "unknown_model", http.get("/v2/models/tiny/versions/2/ready"));
    assertError(404, "unknown_model", http.get("/v2/models/tiny/versions/01"));
    assertError(404, "unknown_model", http.get("/v2/models/none/stats"));
    assertError(404, "unknown_model", http.post("/v2/models/none/infer", new byte[0]));
    assertError(404, "unknown_path", http.get("/v2/models"));
    assertError(404, "unknown_path", http.get("/v2/models/tiny/inference"));
    assertError(404, "unknown_path", http.get("/v2/"));
    assertError(405, "method_not_allowed", http.get(INFER));
    assertError(405, "method_not_allowed", http.post("/v2", new byte[0]));
  }

  static String text(Answer answer) {
    return new String(answer.body(), StandardCharsets.UTF_8);
  }

  private static ObjectNode json(Body body) {
    return (ObjectNode) Tiny.json(body.bytes());
  }

  private static byte[] encode(byte[] bytes, String encoding) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    if (encoding.equals("identity")) {
      return bytes;
    }
    try (DeflaterOutputStream encoder =
        encoding.equals("gzip") ? new GZIPOutputStream(out) : new DeflaterOutputStream(out)) {
      encoder.write(bytes);
    }
    return out.toByteArray();
  }

  private static byte[] decode(byte[] bytes, String encoding) throws IOException {
    try (InflaterInputStream decoder =
        encoding.equals("gzip")
            ? new GZIPInputStream(new ByteArrayInputStream(bytes))
            : new InflaterInputStream(new ByteArrayInputStream(bytes))) {
      return decoder.readAllBytes();
    }
  }

  /** A tensor of an answer, its elements' bits as hex digits. */
  private record Result(String datatype, List<String> hex) {
    List<Integer> ints() {
      assertEquals("INT32", datatype);
      return hex.stream().map(each -> Integer.parseUnsignedInt(each, 16)).toList();
    }
  }

  private static Map<String, Result> outputs(Answer answer) {
    return outputs(answer.body(), answer.header(HEADER));
  }

  private static Map<String, Result> outputs(byte[] body, String header) {
    int length = header.isEmpty() ? body.length : Integer.parseInt(header);
    JsonNode json = Tiny.json(Arrays.copyOf(body, length));
    ByteBuffer rest =
        ByteBuffer.wrap(body, length, body.length - length).slice().order(ByteOrder.LITTLE_ENDIAN);
    Map<String, Result> outputs = new HashMap<>();
    for (JsonNode output : json.get("outputs")) {
      String datatype = output.get("datatype").textValue();
      boolean wide = datatype.equals("FP64");
      List<String> hex = new ArrayList<>();
      if (output.has("data")) {
        for (JsonNode each : output.get("data")) {
          double value = each.isTextual() ? Double.parseDouble(each.textValue()) : each.asDouble();
          hex.add(
              wide
                  ? "%016x".formatted(Double.doubleToLongBits(value))
                  : "%08x"
                      .formatted(
                          datatype.equals("INT32")
                              ? each.intValue()
                              : Float.floatToIntBits((float) value)));
          assertTrue((double) (float) value == value || wide || Double.isNaN(value));
        }
      } else {
        int size = output.at("/parameters/binary_data_size").intValue();
        assertEquals(1, output.get("parameters").size());
        for (int at = 0; at < size; at += wide ? 8 : 4) {
          boolean integer = datatype.equals("INT32");
          hex.add(
              integer
                  ? "%08x".formatted(rest.getInt())
                  : hex(wide ? rest.getLong() : rest.getInt(), !wide));
        }
      }
      assertEquals(hex.size(), output.at("/shape/0").intValue());
      outputs.put(output.get("name").textValue(), new Result(datatype, hex));
    }
    assertFalse(rest.hasRemaining());
    return outputs;
  }

  /** Any NaN equals any NaN. */
  private static String hex(long bits, boolean narrow) {
    return narrow
        ? "%08x".formatted(Float.floatToIntBits(Float.intBitsToFloat((int) bits)))
        : "%016x".formatted(Double.doubleToLongBits(Double.longBitsToDouble(bits)));
  }

  private static List<String> bits(JsonNode array) {
    List<String> bits = new ArrayList<>();
    array.forEach(each -> bits.add(each.textValue()));
    return bits;
  }

  private static List<Integer> ints(JsonNode array) {
    List<Integer> ints = new ArrayList<>();
    array.forEach(each -> ints.add(each.intValue()));
    return ints;
  }
}
