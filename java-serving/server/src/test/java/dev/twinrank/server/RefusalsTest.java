package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.Server;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.core.ScoringException;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.api.Errors;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.Lifecycle;
import dev.twinrank.server.life.ModelDirectory;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.ServiceCode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every code of the service family over HTTP. */
class RefusalsTest {
  private static final String RANK = "/v1/models/tiny:rank";
  private static final int MAX_BODY = 4096;

  private static RankServer server;
  private static Http http;

  @BeforeAll
  static void start() {
    server = ready();
    http = new Http(server.url());
  }

  private static RankServer ready() {
    RankServer server = new RankServer(Settings.loopback().with(new FlowSettings(MAX_BODY, 2)));
    server.start();
    server.serve(new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow());
    return server;
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static JsonNode assertProblem(ServiceCode code, Answer answer) {
    String text = new String(answer.body(), StandardCharsets.UTF_8);
    assertEquals(code.httpStatus(), answer.status(), text);
    assertEquals("application/problem+json", answer.contentType(), text);
    JsonNode problem = answer.json();
    assertEquals(code.code(), problem.get("code").textValue());
    assertEquals("urn:twinrank:error:" + code.code(), problem.get("type").textValue());
    assertEquals(code.httpStatus(), problem.get("status").intValue());
    assertEquals(code.meaning(), problem.get("title").textValue());
    assertFalse(problem.get("detail").textValue().isBlank());
    return problem;
  }

  @Test
  void aModelThatIsNotServedIsUnknown() {
    byte[] request = Tiny.requests().get(0);
    JsonNode problem =
        assertProblem(ServiceCode.UNKNOWN_MODEL, http.post("/v1/models/large:rank", request));
    assertTrue(
        problem.get("detail").textValue().contains("tiny"), "it says which models there are");
    for (String version : List.of("2", "0", "01", "one")) {
      assertProblem(
          ServiceCode.UNKNOWN_MODEL,
          http.post("/v1/models/tiny/versions/" + version + ":rank", request));
    }
    assertProblem(ServiceCode.UNKNOWN_MODEL, http.get("/v1/models/large"));
  }

  @Test
  void aPathThatIsNotThereIsUnknown() {
    for (String path : List.of("/", "/v1/models/", "/v1/models/tiny/versions", "/index.html")) {
      assertProblem(ServiceCode.UNKNOWN_PATH, http.get(path));
    }
    assertProblem(
        ServiceCode.UNKNOWN_PATH, http.post("/v1/models/tiny/versions/:rank", new byte[0]));
  }

  @Test
  void aMethodThatThePathHasNotIsRefusedWithThoseItHas() {
    Answer get = http.get(RANK);
    assertProblem(ServiceCode.METHOD_NOT_ALLOWED, get);
    assertEquals("POST, OPTIONS", get.header("allow"));
    for (String path :
        List.of("/v1/models", "/v1/models/tiny", "/health/live", "/health/ready", "/metrics")) {
      Answer post = http.post(path, new byte[0]);
      assertProblem(ServiceCode.METHOD_NOT_ALLOWED, post);
      assertEquals("GET, HEAD, OPTIONS", post.header("allow"));
    }
    for (String method : List.of("PUT", "DELETE", "PATCH", "TRACE")) {
      assertProblem(
          ServiceCode.METHOD_NOT_ALLOWED,
          http.send(http.request(RANK).method(method, BodyPublishers.noBody())));
    }
  }

  @Test
  void aBodyThatIsNotJsonByItsHeadersIsRefused() {
    byte[] request = Tiny.requests().get(0);
    assertProblem(
        ServiceCode.UNSUPPORTED_MEDIA_TYPE,
        http.send(http.request(RANK).POST(BodyPublishers.ofByteArray(request))));
    for (String type :
        List.of(
            "text/json", "application/x-www-form-urlencoded", "application/json2", "nonsense")) {
      assertProblem(
          ServiceCode.UNSUPPORTED_MEDIA_TYPE,
          http.send(
              http.request(RANK)
                  .header("Content-Type", type)
                  .POST(BodyPublishers.ofByteArray(request))));
    }
    for (String coding : List.of("br", "gzip, gzip", "nonsense")) {
      Answer answer =
          http.send(
              http.request(RANK)
                  .header("Content-Type", "application/json")
                  .header("Content-Encoding", coding)
                  .POST(BodyPublishers.ofByteArray(request)));
      assertProblem(ServiceCode.UNSUPPORTED_MEDIA_TYPE, answer);
      assertEquals("gzip, deflate", answer.header("accept-encoding"));
    }
    assertEquals(
        200,
        http.send(
                http.request(RANK)
                    .header("Content-Type", "application/json; charset=utf-8")
                    .POST(BodyPublishers.ofByteArray(request)))
            .status());
  }

  @Test
  void aBodyOverTheLimitIsRefusedWithItsLengthToldOrNot() {
    byte[] fits = " ".repeat(MAX_BODY).getBytes(StandardCharsets.US_ASCII);
    byte[] over = " ".repeat(MAX_BODY + 1).getBytes(StandardCharsets.US_ASCII);

    assertEquals("invalid_json", http.post(RANK, fits).json().get("code").textValue());
    JsonNode problem = assertProblem(ServiceCode.BODY_TOO_LARGE, http.post(RANK, over));
    assertTrue(problem.get("detail").textValue().contains("4096"), problem.toString());
    assertProblem(
        ServiceCode.BODY_TOO_LARGE,
        http.post(RANK, BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(over))));
    assertEquals(200, http.post(RANK, Tiny.requests().get(0)).status());
  }

  @Test
  void whatIsNoHttpIsRefusedAsAProblemToo() throws IOException {
    for (String text :
        List.of(
            "GET / HTTP/9\r\n\r\n",
            "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /v1/models/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /" + "a".repeat(70_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /v1/models HTTP/1.1\r\nHost: x\r\nX: " + "a".repeat(70_000) + "\r\n\r\n",
            "POST " + RANK + " HTTP/1.1\r\nHost: x\r\nContent-Length: minus\r\n\r\n",
            "POST "
                + RANK
                + " HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx")) {
      String answer = raw(text);
      assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
      assertTrue(answer.contains("application/problem+json"), answer);
      assertTrue(answer.contains("\"code\":\"invalid_http\""), answer);
    }
  }

  @Test
  void aMethodThatNoPathHasIsRefusedAsThePathSays() throws IOException {
    for (String path : List.of(RANK, RANK + "?heads=")) {
      String answer = raw("BREW " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      assertTrue(answer.startsWith("HTTP/1.1 405 "), answer);
      assertTrue(answer.contains("\r\nallow: POST, OPTIONS\r\n"), answer);
    }
    String answer = raw("BREW /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assertTrue(answer.startsWith("HTTP/1.1 404 "), answer);
    assertTrue(answer.contains("\"code\":\"unknown_path\""), answer);
  }

  private static String raw(String text) throws IOException {
    try (Socket socket =
        new Socket(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), server.port())) {
      socket.setSoTimeout(10_000);
      socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  @Test
  void untilItsModelsAreVerifiedItIsLiveAndNotReady() {
    try (RankServer starting =
        new RankServer(Settings.loopback().with(new FlowSettings(MAX_BODY, 2)))) {
      starting.start();
      Http client = new Http(starting.url());

      assertEquals(200, client.get("/health/live").status());
      assertEquals(200, client.get("/metrics").status());
      for (String path : List.of("/health/ready", "/v1/models", "/v1/models/tiny")) {
        assertProblem(ServiceCode.NOT_READY, client.get(path));
      }
      assertProblem(ServiceCode.NOT_READY, client.post(RANK, Tiny.requests().get(0)));
    }
  }

  @Test
  void aSwapUnderTheServerShowsInTheNextAnswerAndThePreviousVersionIsThereByNumber(
      @TempDir Path root) throws IOException {
    Tiny.copyTo(root.resolve("tiny/1"));
    byte[] request = Tiny.requests().get(0);
    Models models = new ModelDirectory(root, Tiny.OPTIONS).open(() -> false).orElseThrow();
    Lifecycle lifecycle = models.lifecycle().orElseThrow();
    try (RankServer swapping =
        new RankServer(Settings.loopback().with(new FlowSettings(MAX_BODY, 2)))) {
      swapping.start();
      swapping.serve(models);
      Http client = new Http(swapping.url());
      assertEquals(1, client.post(RANK, request).json().get("version").intValue());
      Tiny.copyTo(root.resolve("tiny/2"));

      lifecycle.activate("tiny", 2, Differences.REFUSE);

      assertEquals(2, client.post(RANK, request).json().get("version").intValue());
      assertEquals(2, client.get("/v1/models/tiny").json().get("version").intValue());
      String first = "/v1/models/tiny/versions/1:rank";
      assertEquals(1, client.post(first, request).json().get("version").intValue());
      String metrics = new String(client.get("/metrics").response().body(), StandardCharsets.UTF_8);
      assertTrue(metrics.contains("rec_bundle_info{bundle="), metrics);
      assertTrue(metrics.contains("version=\"2\"") && !metrics.contains("version=\"1\""), metrics);

      lifecycle.unload("tiny", 1);
      JsonNode gone = assertProblem(ServiceCode.UNKNOWN_MODEL, client.post(first, request));
      assertEquals(
          "no version '1' of the model 'tiny'; version 2 is served",
          gone.get("detail").textValue());
    }
  }

  @Test
  void aModelThatWasClosedMeanwhileIsSaidToBe() {
    Models models = new ModelDirectory(Tiny.MODELS, Tiny.OPTIONS).open(() -> false).orElseThrow();
    try (RankServer closing =
        new RankServer(Settings.loopback().with(new FlowSettings(MAX_BODY, 2)))) {
      closing.start();
      closing.serve(models);
      models.close();

      assertProblem(
          ServiceCode.MODEL_CLOSED, new Http(closing.url()).post(RANK, Tiny.requests().get(0)));
    }
  }

  @Test
  void aFaultIsAnInternalErrorThatTellsNothingOfItself() {
    Server faulty =
        Server.builder()
            .http(0)
            .service(
                "/throws",
                (ctx, request) -> {
                  throw new IllegalArgumentException("the secret of the house");
                })
            .service(
                "/fails",
                (ctx, request) ->
                    HttpResponse.ofFailure(new StackOverflowError("the secret of the house")))
            .errorHandler(new Errors())
            .build();
    faulty.start().join();
    try {
      Http client = new Http("http://127.0.0.1:" + faulty.activeLocalPort());
      for (String path : List.of("/throws", "/fails")) {
        Answer answer = client.get(path);
        assertProblem(ServiceCode.INTERNAL_ERROR, answer);
        assertFalse(new String(answer.body(), StandardCharsets.UTF_8).contains("secret"));
      }
    } finally {
      faulty.stop().join();
    }
  }

  @Test
  void aRuntimeThatFailsOnAValidRequestIsTheServersFault() {
    ScoringException failed =
        new ScoringException(
            ErrorCode.SCORING_FAILED,
            "the runtime failed",
            Optional.empty(),
            OptionalInt.empty(),
            null);
    Problem problem = Problem.of(failed);
    assertEquals(500, problem.status());
    assertEquals("scoring_failed", problem.code());
  }
}
