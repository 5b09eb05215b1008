package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.life.ModelDirectory;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Changes over the admin listener of a real server. */
class AdminApiTest {
  private static final String TINY = "/admin/models/tiny";

  @TempDir private static Path root;

  private static RankServer server;
  private static Http admin;
  private static Http http;

  @BeforeAll
  static void start() throws IOException {
    Versions.same(root, 1);
    Versions.same(root, 2);
    Versions.bold(root, 3);
    Versions.same(root, 4);
    Files.delete(root.resolve("tiny/4/manifest.sha256"));
    Files.writeString(root.resolve("tiny/active"), "1\n");
    server = new RankServer(Settings.loopback());
    server.start();
    admin = new Http(server.adminUrl().orElseThrow());
    assertEquals("not_ready", admin.get("/admin/models").json().get("code").textValue());
    server.serve(
        new ModelDirectory(root, Settings.loopback().life(), Tiny.OPTIONS, server::loaded)
            .open(() -> false)
            .orElseThrow());
    http = new Http(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @BeforeEach
  void activateTheFirst() {
    assertEquals(200, call(":activate", "{\"version\":1}").status());
  }

  private static Answer call(String what, String body) {
    return admin.post(TINY + what, body.getBytes(StandardCharsets.UTF_8));
  }

  private static void refused(int status, String code, Answer answer) {
    String text = new String(answer.body(), StandardCharsets.UTF_8);
    assertEquals(status, answer.status(), text);
    assertEquals("application/problem+json", answer.contentType());
    assertEquals(code, answer.json().get("code").textValue(), text);
    assertEquals(1, served());
  }

  private static long served() {
    Answer answer = http.post("/v1/models/tiny:rank", Tiny.requests().get(1));
    assertEquals(200, answer.status());
    return answer.json().get("version").longValue();
  }

  @Test
  void aVersionIsActivatedAndRolledBack() {
    Answer answer = call(":activate", "{\"version\":2,\"allow_incompatible\":false}");
    assertEquals(200, answer.status());
    assertEquals(2, answer.json().get("version").intValue());
    assertEquals(1, answer.json().get("active_before").intValue());
    assertEquals("active", answer.json().get("state").textValue());
    assertEquals(2, served());

    JsonNode model = admin.get("/admin/models").json().get("models").get(0);
    assertEquals("tiny", model.get("name").textValue());
    assertEquals("1", model.get("pointer").textValue());
    assertEquals(
        List.of("loaded", "active"),
        List.of(
            model.get("versions").get(0).get("state").textValue(),
            model.get("versions").get(1).get("state").textValue()));
    assertFalse(model.has("last_failure"));

    assertEquals(200, call(":rollback", "{}").status());
    assertEquals(1, served());
    refused(409, "conflict", call(":rollback", ""));
  }

  @Test
  void aVersionIsLoadedBesideTheActiveOneAndUnloaded() {
    assertEquals("loaded", call(":load", "{\"version\":2}").json().get("state").textValue());
    assertEquals(1, served());
    assertEquals(
        200, http.post("/v1/models/tiny/versions/2:rank", Tiny.requests().get(1)).status());
    refused(409, "conflict", call(":unload", "{\"version\":1}"));
    assertEquals(2, call(":unload", "{\"version\":2}").json().get("unloaded").get(0).intValue());
    refused(404, "unknown_model", call(":unload", "{\"version\":2}"));
    assertEquals(
        404, http.post("/v1/models/tiny/versions/2:rank", Tiny.requests().get(1)).status());
  }

  @Test
  void aWholeModelIsUnloadedAndComesBack() {
    assertEquals(1, call(":unload", "{}").json().get("unloaded").get(0).intValue());
    assertEquals(404, http.post("/v1/models/tiny:rank", Tiny.requests().get(1)).status());
    assertEquals(200, call(":activate", "{\"version\":1}").status());
    assertEquals(1, served());
  }

  @Test
  void whatCannotBeServedIsRefusedWithEveryReasonAndCounted() {
    Answer answer = call(":activate", "{\"version\":3}");
    refused(409, "incompatible_version", answer);
    assertTrue(answer.json().get("problems").get(0).get("path").textValue().contains("/heads"));
    assertEquals(1, answer.json().get("active").intValue());
    refused(422, "file_missing", call(":activate", "{\"version\":4}"));
    refused(422, "file_missing", call(":activate", "{\"version\":99}"));
    JsonNode failure = admin.get("/admin/models").json().get("models").get(0).get("last_failure");
    assertEquals(99, failure.get("version").intValue());
    assertEquals("file_missing", failure.get("code").textValue());
    String metrics = new String(admin.get("/metrics").body(), StandardCharsets.UTF_8);
    assertTrue(metrics.contains("rec_bundle_load_total{result=\"incompatible_version\"} 1.0"));
    assertTrue(metrics.contains("rec_bundle_load_total{result=\"file_missing\"} 2.0"));

    assertEquals(200, call(":activate", "{\"version\":3,\"allow_incompatible\":true}").status());
    assertEquals(3, served());
    assertEquals(200, call(":rollback", "{}").status());
  }

  @Test
  void aCallThatSaysNothingSensibleIsRefused() {
    for (String body :
        List.of(
            "",
            "{}",
            "[1]",
            "{\"version\":\"1\"}",
            "{\"version\":1.0}",
            "{\"version\":1}{}",
            "{\"version\":1,\"version\":2}",
            "{\"version\":1,\"force\":true}",
            "{\"version\":0}",
            "{\"version\":-1}",
            "{\"version\":1e3}",
            "{\"version\":9223372036854775808}",
            "{\"v",
            "{\"version\":1,\"allow_incompatible\":1}")) {
      refused(400, "invalid_command", call(":activate", body));
    }
    refused(400, "invalid_command", call(":rollback", "{\"version\":1}"));
    refused(
        400,
        "invalid_command",
        admin.post(
            "/admin/models/%2e%2e:activate", "{\"version\":1}".getBytes(StandardCharsets.UTF_8)));
    refused(404, "unknown_path", call(":destroy", "{}"));
    refused(405, "method_not_allowed", admin.get(TINY + ":activate"));
    refused(
        415,
        "unsupported_media_type",
        admin.send(
            admin
                .request(TINY + ":activate")
                .header("Content-Type", "text/plain")
                .POST(BodyPublishers.ofString("{\"version\":2}"))));
  }

  @Test
  void theServicesListenerHasNoneOfThis() {
    assertEquals(404, http.get("/admin/models").status());
    assertEquals(
        404,
        http.post(TINY + ":activate", "{\"version\":2}".getBytes(StandardCharsets.UTF_8)).status());
  }
}
