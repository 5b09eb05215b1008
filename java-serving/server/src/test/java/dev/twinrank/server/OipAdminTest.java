package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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

/** The model repository of the Open Inference Protocol, on the admin listener of a real server. */
class OipAdminTest {
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
    assertEquals(200, repository("tiny/load", "{\"parameters\":{\"version\":1}}").status());
  }

  private static long served() {
    Answer answer = http.post("/v1/models/tiny:rank", Tiny.requests().get(1));
    assertEquals(200, answer.status());
    return answer.json().get("version").longValue();
  }

  private static Answer repository(String what, String body) {
    return admin.post("/v2/repository/models/" + what, body.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void aRepositoryClientLoadsWhatThePointerOrItsParameterNamesAndUnloads() {
    assertEquals(200, repository("tiny/load", "{\"parameters\":{\"version\":2}}").status());
    assertEquals(2, served());
    assertEquals(200, repository("tiny/load", "").status());
    assertEquals(1, served());
    assertEquals(
        200, repository("tiny/unload", "{\"parameters\":{\"unload_dependents\":false}}").status());
    assertEquals(404, http.post("/v1/models/tiny:rank", Tiny.requests().get(1)).status());
    assertEquals(
        0, admin.post("/v2/repository/index", new byte[0]).json().size(), "an empty index");
  }

  @Test
  void aRepositoryClientHearsWhyNothingWasChanged() {
    assertRepository(
        409, "incompatible_version", repository("tiny/load", "{\"parameters\":{\"version\":3}}"));
    assertRepository(
        422, "file_missing", repository("tiny/load", "{\"parameters\":{\"version\":4}}"));
    assertRepository(404, "unknown_model", repository("other/load", ""));
    assertRepository(404, "unknown_model", repository("other/unload", ""));
    for (String body :
        List.of("[]", "{", "{}{}", "{\"config\":1}", "{\"parameters\":{\"config\":\"{}\"}}")) {
      assertRepository(400, "invalid_command", repository("tiny/load", body));
    }
    assertRepository(
        400,
        "invalid_header",
        admin.send(
            admin
                .request("/v2/repository/models/tiny/unload")
                .header("Origin", "http://127.0.0.1")
                .POST(BodyPublishers.noBody())));
    assertEquals(403, http.post("/v2/repository/models/tiny/load", new byte[0]).status());
  }

  private static void assertRepository(int status, String code, Answer answer) {
    String text = new String(answer.body(), StandardCharsets.UTF_8);
    assertEquals(status, answer.status(), text);
    assertEquals(code, answer.json().get("code").textValue(), text);
    assertTrue(answer.json().get("error").textValue().startsWith(code), text);
    assertEquals(1, served());
  }
}
