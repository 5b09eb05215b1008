package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.ScoringException;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.api.Views;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.ModelDirectory;
import dev.twinrank.server.life.Models;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A real server with the fixture bundle. Expected bits and codes are its goldens, which Python
 * wrote.
 */
class RankServerTest {
  private static final String RANK = "/v1/models/tiny:rank";

  private static RankServer server;
  private static Model embedded;
  private static Http http;

  @BeforeAll
  static void start() {
    embedded = Tiny.open();
    server =
        new RankServer(
            Settings.loopback()
                .with(new FlowSettings(1 << 20, 2).withQueueAge(Duration.ofMinutes(1))));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    http = new Http(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
    embedded.close();
  }

  @ParameterizedTest
  @EnumSource(HttpClient.Version.class)
  void everyGoldenIsAnsweredWithItsBitsOrItsCode(HttpClient.Version version) {
    Http client = new Http(server.url(), version);
    List<JsonNode> goldens = Tiny.goldens();
    List<byte[]> requests = Tiny.requests();
    assertEquals(goldens.size(), requests.size());

    for (int i = 0; i < goldens.size(); i++) {
      Answer answer = client.post(RANK, requests.get(i));
      if (goldens.get(i).has("error")) {
        assertEquals(400, answer.status());
        assertEquals(goldens.get(i).get("error"), answer.json().get("code"));
      } else {
        assertEquals(200, answer.status(), () -> new String(answer.body(), StandardCharsets.UTF_8));
        assertEquals("application/json", answer.contentType());
        assertRanking(goldens.get(i), requests.get(i), answer.json());
      }
    }
  }

  private static void assertRanking(JsonNode golden, byte[] request, JsonNode answer) {
    assertEquals("tiny", answer.get("model").textValue());
    assertEquals(1, answer.get("version").intValue());
    assertEquals(embedded.digest(), answer.get("bundle").textValue());
    assertEquals("verified-reference", answer.get("verification").textValue());
    assertEquals(golden.get("n"), answer.get("candidates"));
    JsonNode k = Tiny.json(request).path("k");
    List<Integer> order = integers(golden.get("order"));
    assertEquals(
        k.isInt() ? order.subList(0, Math.min(k.intValue(), order.size())) : order,
        integers(answer.get("ranking"), "index"));
    assertEquals(integers(golden.get("dropped")), integers(answer.get("dropped"), "index"));
    for (JsonNode entry : answer.get("ranking")) {
      assertBits(golden.get("score"), entry.get("index").intValue(), entry.get("score"));
      assertHeads(golden, entry);
    }
    for (JsonNode entry : answer.get("dropped")) {
      assertEquals("nan_score", entry.get("reason").textValue());
      assertFalse(entry.has("score"));
      assertHeads(golden, entry);
    }
  }

  private static void assertHeads(JsonNode golden, JsonNode entry) {
    assertEquals(names(golden.get("heads")), names(entry.get("heads")));
    for (String head : names(golden.get("heads"))) {
      assertBits(
          golden.get("heads").get(head),
          entry.get("index").intValue(),
          entry.get("heads").get(head));
    }
  }

  private static void assertBits(JsonNode column, int candidate, JsonNode number) {
    String expected = column.get(candidate).textValue();
    double value =
        number.isTextual() ? Double.parseDouble(number.textValue()) : number.doubleValue();
    String hex =
        expected.length() == 8
            ? "%08x".formatted(Float.floatToIntBits((float) value))
            : "%016x".formatted(Double.doubleToLongBits(value));
    assertEquals(expected, hex);
    assertTrue(
        expected.length() == 16 || Double.isNaN(value) || (float) value == value,
        "not widened exactly");
  }

  private static List<Integer> integers(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonNode::intValue).toList();
  }

  private static List<Integer> integers(JsonNode array, String field) {
    return StreamSupport.stream(array.spliterator(), false)
        .map(entry -> entry.get(field).intValue())
        .toList();
  }

  private static List<String> names(JsonNode object) {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /**
   * The vectors have schemas of their own: here they are texts, of which HTTP must say what the
   * embedded core says.
   */
  @Test
  void everyRequestOfTheVectorsIsRefusedAsTheEmbeddedCoreRefusesIt() {
    Set<ErrorCode> seen = EnumSet.noneOf(ErrorCode.class);

    for (JsonNode request : Tiny.requestVectors()) {
      byte[] raw =
          request.has("request")
              ? request.get("request").textValue().getBytes(StandardCharsets.UTF_8)
              : Base64.getDecoder().decode(request.get("request_base64").textValue());
      boolean textOnly = request.at("/expect/error/code").asText().equals("invalid_json");
      assertRefusal(raw, textOnly, seen, request.get("name").textValue());
    }
    for (byte[] raw : Tiny.requests()) {
      assertRefusal(raw, false, seen, "golden");
    }
    Set<ErrorCode> every = EnumSet.range(ErrorCode.INVALID_JSON, ErrorCode.UNSEEN_VALUE);
    assertEquals(every, seen);
  }

  private static void assertRefusal(
      byte[] raw, boolean invalidJson, Set<ErrorCode> seen, String name) {
    Answer answer = http.post(RANK, raw);
    try {
      embedded.rank(embedded.parse(raw));
      assertEquals(200, answer.status(), name);
      assertFalse(invalidJson, name);
    } catch (ScoringException e) {
      seen.add(e.code());
      JsonNode problem = answer.json();
      assertEquals(400, answer.status(), name);
      assertEquals("application/problem+json", answer.contentType(), name);
      assertEquals(400, problem.get("status").intValue());
      assertEquals(e.code().code(), problem.get("code").textValue(), name);
      assertEquals("urn:twinrank:error:" + e.code().code(), problem.get("type").textValue());
      assertEquals(e.code().meaning(), problem.get("title").textValue());
      assertEquals(e.getMessage(), problem.get("detail").textValue(), name);
      assertEquals(e.feature().orElse(null), problem.path("feature").textValue(), name);
      assertEquals(e.candidate().orElse(-1), problem.path("candidate").asInt(-1), name);
      assertTrue(!invalidJson || e.code() == ErrorCode.INVALID_JSON, name);
    }
  }

  @Test
  void concurrentRequestsGetTheBitsOfTheEmbeddedCore() throws Exception {
    List<byte[]> requests = Tiny.requests().subList(0, 5);
    List<byte[]> expected = new ArrayList<>();
    for (byte[] request : requests) {
      Ranking ranking = embedded.rank(embedded.parse(request));
      expected.add(Views.ranking(embedded, 1, ranking));
    }
    ExecutorService callers = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Void>> calls =
          IntStream.range(0, 8)
              .<Callable<Void>>mapToObj(
                  caller ->
                      () -> {
                        Http own =
                            new Http(
                                server.url(),
                                caller % 2 == 0
                                    ? HttpClient.Version.HTTP_1_1
                                    : HttpClient.Version.HTTP_2);
                        for (int i = 0; i < 100; i++) {
                          int which = (caller + i) % requests.size();
                          assertArrayEquals(
                              expected.get(which), own.post(RANK, requests.get(which)).body());
                        }
                        return null;
                      })
              .toList();
      for (Future<Void> call : callers.invokeAll(calls)) {
        call.get();
      }
    } finally {
      callers.shutdownNow();
    }
  }

  @Test
  void aVersionIsRankedByItsNumber() {
    byte[] request = Tiny.requests().get(0);
    assertArrayEquals(
        http.post(RANK, request).body(),
        http.post("/v1/models/tiny/versions/1:rank", request).body());
  }

  @Test
  void theModelsAreListed() {
    JsonNode model = http.get("/v1/models").json().get("models").get(0);
    assertEquals("tiny", model.get("name").textValue());
    assertEquals(1, model.get("version").intValue());
    assertEquals(embedded.digest(), model.get("bundle").textValue());
    assertEquals("verified-reference", model.get("verification").textValue());
    assertFalse(model.get("attested").booleanValue());
    assertEquals("unchecked", model.get("signature").textValue());
    assertFalse(model.has("signature_detail"));
    assertEquals("no external data", model.get("installation").textValue());
    assertEquals(Tiny.JSON.createArrayNode(), model.get("allowed"));
  }

  @Test
  void whatWasAllowedAtExportIsShownWithTheVerification(@TempDir Path models) throws IOException {
    Tiny.allowing(models.resolve("tiny/1"), "batch_variant");
    try (Models allowing =
        new ModelDirectory(models, Tiny.OPTIONS).open(() -> false).orElseThrow()) {
      JsonNode finding =
          Tiny.json(
              "{\"finding\": \"batch_variant\", \"detail\": \"d\", \"reason\": \"r\\nWARN s\"}"
                  .getBytes(StandardCharsets.UTF_8));
      try (Lease lease = allowing.lease("tiny")) {
        assertEquals(finding, Tiny.json(Views.model(lease.model(), 1)).at("/allowed/0"));
      }
      assertEquals(finding, Tiny.json(Views.ready(allowing)).at("/models/0/allowed/0"));
    }
  }

  @Test
  void aModelIsDescribedAsItsManifestDescribesIt() {
    JsonNode manifest = Tiny.json(Tiny.read(Tiny.BUNDLE.resolve("manifest.json")));
    JsonNode model = http.get("/v1/models/tiny").json();

    assertEquals(manifest.get("max_candidates"), model.get("max_candidates"));
    assertEquals(manifest.at("/goldens/count"), model.get("goldens"));
    assertEquals(manifest.at("/evidence/host_class"), model.get("bundle_host_class"));
    assertEquals("onnxruntime 1.29.0", model.get("runtime").textValue());
    assertTrue(model.get("host_class").textValue().matches("[0-9a-f]{64}"));
    assertEquals(
        manifest.get("heads").findValuesAsText("name"),
        model.get("heads").findValuesAsText("name"));
    assertEquals(manifest.at("/score/dtype"), model.at("/score/dtype"));
    JsonNode features = manifest.at("/schema/features");
    // The graph applies default values, and a reader never sees them.
    features.findParents("value").forEach(policy -> ((ObjectNode) policy).remove("value"));
    assertEquals(features, model.at("/schema/features"));
  }

  @Test
  void aHeadRequestHasNoBody() {
    Answer answer = http.send(http.request("/v1/models").method("HEAD", BodyPublishers.noBody()));
    assertEquals(200, answer.status());
    assertEquals("application/json", answer.contentType());
    assertEquals(0, answer.body().length);
  }

  @Test
  void itIsLiveAndReady() {
    assertEquals("live", http.get("/health/live").json().get("status").textValue());
    JsonNode ready = http.get("/health/ready").json();
    assertEquals("ready", ready.get("status").textValue());
    assertEquals(http.get("/v1/models").json().get("models"), ready.get("models"));
  }
}
