package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.twinrank.core.Keys;
import dev.twinrank.core.Model;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.RankRequest;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.ModelDirectory;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.InflaterInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What a ranking request can ask for beside its body: heads, an explanation, codings, a deadline.
 */
class RankOptionsTest {
  private static final String RANK = "/v1/models/tiny:rank";
  private static final int MAX_BODY = 64 << 10;

  private static RankServer server;
  private static Http http;

  @BeforeAll
  static void start() {
    server = new RankServer(Settings.loopback().with(new FlowSettings(MAX_BODY, 2)));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    http = new Http(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String code(Answer answer) {
    return answer.json().path("code").asText("none, status " + answer.status());
  }

  private static byte[] longest() {
    return Tiny.requests().stream()
        .filter(request -> http.post(RANK, request).status() == 200)
        .max((a, b) -> Integer.compare(a.length, b.length))
        .orElseThrow();
  }

  @Test
  void theAnswerHasTheHeadsThatAreAskedFor() {
    byte[] request = longest();
    JsonNode whole = http.post(RANK, request).json();
    assertTrue(whole.get("ranking").size() > 1, "the fixture ranks some");

    for (List<String> asked :
        List.of(List.of("margin"), List.of("watched", "margin"), List.<String>of())) {
      JsonNode some = http.post(RANK + "?heads=" + String.join(",", asked), request).json();
      ObjectNode expected = whole.deepCopy();
      expected
          .findParents("heads")
          .forEach(entry -> ((ObjectNode) entry.get("heads")).retain(asked));
      assertEquals(expected, some);
    }
  }

  @Test
  void aHeadThatTheModelHasNotIsRefusedWithThoseItHas() {
    for (String heads : List.of("watched,wached", "score", "watched,")) {
      Answer answer = http.post(RANK + "?heads=" + heads, longest());
      assertEquals(400, answer.status());
      assertEquals("unknown_head", code(answer));
      assertTrue(answer.json().get("detail").textValue().contains("'margin'"));
    }
  }

  @Test
  void aBodyThatDoesNotSayThatItIsJsonIsRefusedWithWhatItSays() {
    Answer silent = http.send(http.request(RANK).POST(BodyPublishers.ofByteArray(longest())));
    assertEquals(415, silent.status());
    assertEquals(
        "there is no Content-Type; send application/json", silent.json().get("detail").textValue());
    Answer text =
        http.send(
            http.request(RANK)
                .header("content-type", "text/plain")
                .POST(BodyPublishers.ofByteArray(longest())));
    assertEquals(
        "the Content-Type is 'text/plain'; send application/json",
        text.json().get("detail").textValue());
  }

  @Test
  void aParameterThatThePathHasNotIsRefusedWithThoseItHas() {
    for (String query :
        List.of("head=watched", "k=1", "heads=watched&heads=margin", "heads=risky,risky")) {
      Answer answer = http.post(RANK + "?" + query, longest());
      assertEquals(400, answer.status(), query);
      assertEquals("invalid_parameter", code(answer), query);
    }
    assertTrue(
        http.post(RANK + "?k=1", longest())
            .json()
            .get("detail")
            .textValue()
            .contains("this path has heads, explain"));
    assertEquals("invalid_parameter", code(http.post(RANK + "?explain=true", longest())));
    for (String path :
        List.of("/v1/models", "/v1/models/tiny", "/v1/models/tiny/versions/1/evidence")) {
      assertEquals("invalid_parameter", code(http.get(path + "?verbose=1")));
    }
    // Probes and scrapers add what they like.
    assertEquals(200, http.get("/health/live?now=1").status());
    assertEquals(200, http.get("/metrics?name[]=up".replace("[]", "%5B%5D")).status());
  }

  /** The manifest's packing says where each value lies; here it is read as the manifest says. */
  @Test
  void anExplanationIsWhatTheBlocksHold() {
    JsonNode inputs =
        Tiny.json(Tiny.read(Tiny.BUNDLE.resolve("manifest.json"))).at("/packing/inputs");
    int explained = 0;
    try (Model model = Tiny.open()) {
      for (byte[] raw : Tiny.requests()) {
        Answer answer = http.post(RANK + "?explain=features", raw);
        assertEquals(http.post(RANK, raw).status(), answer.status());
        if (answer.status() == 200) {
          RankRequest request = model.parse(raw);
          JsonNode shown = answer.json();
          explained += compare(inputs, request.blocks(), "context", 0, shown.get("context"));
          for (String list : List.of("ranking", "dropped")) {
            for (JsonNode entry : shown.get(list)) {
              int index = entry.get("index").intValue();
              explained +=
                  compare(inputs, request.blocks(), "candidate", index, entry.get("features"));
            }
          }
        }
      }
    }
    assertTrue(explained > 500, "columns compared: " + explained);
  }

  /** Compares one row, and returns how many columns were looked at. */
  private static int compare(
      JsonNode inputs, List<PackedBlock> blocks, String placement, int row, JsonNode features) {
    int looked = 0;
    for (int b = 0; b < inputs.size(); b++) {
      JsonNode input = inputs.get(b);
      if (!input.get("placement").asText().equals(placement)) {
        continue;
      }
      PackedBlock block = blocks.get(b);
      for (JsonNode column : input.get("columns")) {
        String role = column.get("role").asText();
        if (column.has("group")) {
          for (JsonNode member : members(inputs, column.get("group").asText(), features)) {
            assertEquals(cells(block, column, row, 1).get(0), member.path("length").asText("0"));
          }
        } else {
          JsonNode feature = features.get(column.get("feature").asText());
          String state = feature.get("state").asText();
          int length = feature.path("length").asInt(state.equals("present") ? 1 : 0);
          switch (role) {
            case "state" ->
                assertEquals(
                    List.of("missing", "present", "invalid")
                        .get(Integer.parseInt(cells(block, column, row, 1).get(0))),
                    state);
            case "length" ->
                assertEquals(cells(block, column, row, 1).get(0), Integer.toString(length));
            default -> assertEquals(cells(block, column, row, length), shown(feature));
          }
        }
        looked++;
      }
    }
    return looked;
  }

  private static List<JsonNode> members(JsonNode inputs, String group, JsonNode features) {
    List<JsonNode> members = new ArrayList<>();
    for (JsonNode input : inputs) {
      if (input.get("name").asText().contains("." + group + ".")) {
        for (JsonNode column : input.get("columns")) {
          if (features.has(column.get("feature").asText())) {
            members.add(features.get(column.get("feature").asText()));
          }
        }
      }
    }
    assertFalse(members.isEmpty(), group);
    return members;
  }

  /** Returns a column's values of one row, as text: integers in decimal, floats by their bits. */
  private static List<String> cells(PackedBlock block, JsonNode column, int row, int length) {
    long[] shape = block.shape();
    int offset = column.get("offset").intValue();
    List<String> cells = new ArrayList<>();
    for (int i = 0; i < length; i++) {
      long place =
          shape.length == 3
              ? (row * shape[1] + i) * shape[2] + offset
              : row * shape[1] + offset + i;
      cells.add(
          switch (block.dtype()) {
            case FLOAT32 -> floatText(block.data().asFloatBuffer().get((int) place));
            case FLOAT64 -> floatText(block.data().asDoubleBuffer().get((int) place));
            default -> Long.toString(block.data().asLongBuffer().get((int) place));
          });
    }
    return cells;
  }

  private static String floatText(double value) {
    return Long.toHexString(Double.doubleToLongBits(value));
  }

  private static List<String> shown(JsonNode feature) {
    List<String> shown = new ArrayList<>();
    if (feature.has("key")) {
      shown.add(key(feature.get("key")));
    } else if (feature.has("value")) {
      shown.add(number(feature.get("value")));
    }
    feature.path("keys").forEach(each -> shown.add(key(each)));
    feature.path("values").forEach(each -> shown.add(number(each)));
    return shown;
  }

  private static String key(JsonNode hex) {
    assertEquals(16, hex.textValue().length());
    return Long.toString(Long.parseUnsignedLong(hex.textValue(), 16));
  }

  private static String number(JsonNode value) {
    if (value.isBoolean()) {
      return value.booleanValue() ? "1" : "0";
    }
    if (value.isTextual()) {
      return floatText(Double.parseDouble(value.textValue()));
    }
    return value.isIntegralNumber() ? value.asText() : floatText(value.doubleValue());
  }

  @Test
  void aStringIsExplainedByItsKey() {
    JsonNode request = Tiny.json(longest());
    JsonNode shown = http.post(RANK + "?explain=features", longest()).json().get("context");
    String name =
        Tiny.json(Tiny.read(Tiny.BUNDLE.resolve("manifest.json")))
            .at("/schema/features")
            .findParents("name")
            .stream()
            .filter(f -> f.get("placement").asText().equals("context"))
            .filter(f -> f.get("dtype").asText().equals("string") && !f.has("list"))
            .map(f -> f.get("name").asText())
            .filter(f -> request.get("context").path(f).isTextual())
            .findFirst()
            .orElseThrow();
    assertEquals(
        "%016x".formatted(Keys.of(request.get("context").get(name).textValue())),
        shown.get(name).get("key").textValue());
  }

  @Test
  void aCompressedRequestIsTheRequest() throws IOException {
    byte[] request = longest();
    byte[] expected = http.post(RANK, request).body();

    assertArrayEquals(expected, coded("gzip", gzip(request)).body());
    assertArrayEquals(expected, coded("X-GZIP", gzip(request)).body());
    assertArrayEquals(expected, coded("deflate", deflate(request)).body());
    assertArrayEquals(expected, coded("identity", request).body());
  }

  @Test
  void whatIsNotCodedAsItSaysIsRefused() throws IOException {
    byte[] request = longest();
    byte[] cut = Arrays.copyOf(gzip(request), gzip(request).length - 9);
    for (byte[] body : List.of(request, new byte[0], cut)) {
      Answer answer = coded("gzip", body);
      assertEquals(400, answer.status());
      assertEquals("invalid_http", code(answer));
    }
    assertEquals("invalid_http", code(coded("deflate", request)));
  }

  @Test
  void whatFollowsACodedBodyIsNotLeftUnread() throws IOException {
    byte[] request = longest();
    byte[] expected = http.post(RANK, request).body();
    byte[] head = Arrays.copyOf(request, 100);
    byte[] rest = Arrays.copyOfRange(request, 100, request.length);
    assertArrayEquals(
        expected, coded("gzip", joined(gzip(head), gzip(rest))).body(), "two members");
    for (int length : new int[] {1, 2, 17, 18, 19, 100}) {
      byte[] garbage = new byte[length];
      Arrays.fill(garbage, (byte) 'x');
      for (String coding : List.of("gzip", "deflate")) {
        byte[] body = coding.equals("gzip") ? gzip(request) : deflate(request);
        Answer answer = coded(coding, joined(body, garbage));
        assertEquals("invalid_http", code(answer), coding + " " + length);
        assertEquals(
            length
                + " bytes follow the "
                + coding
                + " that the Content-Encoding promises; send the "
                + coding
                + " alone",
            answer.json().get("detail").textValue());
      }
    }
  }

  private static byte[] joined(byte[] first, byte[] second) {
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  @Test
  void aBodyThatIsTooLongOnceDecodedIsRefusedWithoutBeingDecodedToItsEnd() throws IOException {
    byte[] bomb = gzip(new byte[50 << 20]);
    assertTrue(bomb.length < MAX_BODY, "it passes the limit of what is sent");

    Answer answer = coded("gzip", bomb);

    assertEquals(413, answer.status());
    assertEquals("body_too_large", code(answer));
    assertEquals("invalid_json", code(coded("gzip", gzip(new byte[MAX_BODY]))));
    assertEquals("body_too_large", code(coded("gzip", gzip(new byte[MAX_BODY + 1]))));
  }

  @Test
  void anAnswerIsCompressedOnlyIfAskedForAndWorthIt() throws IOException {
    byte[] plain = http.get("/v1/models/tiny").body();
    assertTrue(plain.length > 1024);

    Answer gzip = accepting("/v1/models/tiny", "br;q=1.0, gzip;q=0.8, *;q=0");
    assertEquals("gzip", gzip.header("content-encoding"));
    assertEquals("accept-encoding", gzip.header("vary").toLowerCase(Locale.ROOT));
    assertArrayEquals(
        plain, new GZIPInputStream(new ByteArrayInputStream(gzip.body())).readAllBytes());
    Answer deflate = accepting("/v1/models/tiny", "deflate, gzip;q=0.5");
    assertEquals("deflate", deflate.header("content-encoding"));
    assertArrayEquals(
        plain, new InflaterInputStream(new ByteArrayInputStream(deflate.body())).readAllBytes());
    assertEquals("gzip", accepting("/v1/models/tiny", "*").header("content-encoding"));
    for (String wish : List.of("identity", "gzip;q=0", "br", "gzip;q=2", "", "gzip;q=0, *")) {
      boolean any = wish.endsWith("*");
      assertEquals(
          any ? "deflate" : "",
          accepting("/v1/models/tiny", wish).header("content-encoding"),
          wish);
    }
    assertEquals("", accepting("/health/live", "gzip").header("content-encoding"));
    Answer ranked =
        http.send(
            http.request(RANK + "?explain=features")
                .header("Content-Type", "application/json")
                .header("Accept-Encoding", "gzip")
                .POST(BodyPublishers.ofByteArray(longest())));
    assertArrayEquals(
        http.post(RANK + "?explain=features", longest()).body(),
        new GZIPInputStream(new ByteArrayInputStream(ranked.body())).readAllBytes());
  }

  @Test
  void theMethodsOfAPathAreToldToWhoeverAsks() {
    assertEquals("POST, OPTIONS", options(RANK).header("allow"));
    assertEquals("GET, HEAD, OPTIONS", options("/v1/models/tiny/schema").header("allow"));
    assertEquals(204, options(RANK).status());
    assertEquals(404, options("/v1/nothing").status());
  }

  @Test
  void aVersionSaysWhatItTakesHowItProvedItselfAndWhatItCounted() throws IOException {
    JsonNode manifest = Tiny.json(Tiny.read(Tiny.BUNDLE.resolve("manifest.json")));
    JsonNode model = http.get("/v1/models/tiny").json();
    assertEquals(model, http.get("/v1/models/tiny/versions/1").json());
    assertEquals(
        model.at("/schema/features"), http.get("/v1/models/tiny/schema").json().get("features"));

    JsonNode evidence = http.get("/v1/models/tiny/versions/1/evidence").json();
    assertEquals(model.get("bundle"), evidence.get("bundle"));
    assertEquals(manifest.at("/goldens/count").intValue(), evidence.get("goldens").size());
    evidence.get("goldens").forEach(golden -> assertTrue(golden.get("passed").booleanValue()));
    assertEquals(
        manifest.at("/evidence/reference/outputs/watched/a"), evidence.at("/tolerances/watched"));
    assertEquals(4, evidence.get("tolerances").size());

    byte[] request = longest();
    long before = http.get("/v1/models/tiny/statistics").json().get("requests").longValue();
    http.post(RANK, request);
    http.post(RANK, "{".getBytes(StandardCharsets.UTF_8));
    JsonNode after = http.get("/v1/models/tiny/versions/1/statistics").json();
    assertEquals(before + 2, after.get("requests").longValue());
    assertTrue(after.at("/refusals/invalid_json").longValue() >= 1);
    assertEquals(evidence.get("opened"), after.get("since"));
    for (String aspect : List.of("", "/schema", "/evidence", "/statistics")) {
      assertEquals("unknown_model", code(http.get("/v1/models/tiny/versions/2" + aspect)));
      assertEquals("unknown_model", code(http.get("/v1/models/huge" + aspect)));
    }
  }

  @Test
  void aDeadlineThatHasPassedIsToldAndOneThatIsNoTimeIsRefused() {
    assertEquals("deadline_exceeded", code(timed("0")));
    assertEquals("invalid_header", code(timed("soon")));
    assertEquals(200, timed("60000").status());
  }

  private static Answer timed(String millis) {
    return http.send(
        http.request(RANK)
            .header("Content-Type", "application/json")
            .header("X-Request-Timeout-Ms", millis)
            .POST(BodyPublishers.ofByteArray(longest())));
  }

  private static Answer options(String path) {
    return http.send(http.request(path).method("OPTIONS", BodyPublishers.noBody()));
  }

  private static Answer accepting(String path, String codings) {
    return http.send(http.request(path).header("Accept-Encoding", codings).GET());
  }

  private static Answer coded(String coding, byte[] body) {
    return http.send(
        http.request(RANK)
            .header("Content-Type", "application/json")
            .header("Content-Encoding", coding)
            .POST(BodyPublishers.ofByteArray(body)));
  }

  private static byte[] gzip(byte[] body) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(body);
    }
    return out.toByteArray();
  }

  private static byte[] deflate(byte[] body) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflate = new DeflaterOutputStream(out)) {
      deflate.write(body);
    }
    return out.toByteArray();
  }
}
