package dev.twinrank.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.command.InspectContainerResponse;
import com.github.dockerjava.api.model.AccessMode;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.HealthCheck;
import com.github.dockerjava.api.model.Volume;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.startupcheck.StartupCheckStrategy;
import org.testcontainers.containers.wait.strategy.Wait;

/** The image that {@code container/build.sh} made, on the engine that the environment names. */
class ImageTest {
  private static final String IMAGE = System.getenv("TWINRANK_IMAGE");
  private static final int PORT = 8080;
  private static final int ADMIN_PORT = 8081;
  private static final long MEMORY = 512L << 20;
  private static final int STOP_SECONDS = 45;
  private static final Duration START = Duration.ofSeconds(60);

  private final HttpClient client = HttpClient.newHttpClient();

  @TempDir private Path models;

  @BeforeAll
  static void anEngineAnswers() {
    boolean present = IMAGE != null && DockerClientFactory.instance().isDockerAvailable();
    String missing = "no engine answers, or TWINRANK_IMAGE names no image: run container/check.sh";
    if ("true".equals(System.getenv("CI")) || "ci".equals(System.getenv("TWINRANK_TIER"))) {
      assertTrue(present, missing);
    }
    assumeTrue(present, missing);
  }

  @Test
  void itBecomesHealthyRanksTheBitsOfAGoldenAndEndsWith143()
      throws IOException, InterruptedException {
    Fixture.copyTo(models);
    try (GenericContainer<?> server = container()) {
      server.waitingFor(Wait.forHealthcheck().withStartupTimeout(START)).start();

      HttpResponse<byte[]> answer = rank(server, Fixture.request(1));
      assertEquals(200, answer.statusCode());
      assertRanking(Fixture.expected(1), Fixture.JSON.readTree(answer.body()));
      assertEquals(200, get(server, ADMIN_PORT, "/health/ready").statusCode());

      assertEquals("65532\n", server.execInContainer("id", "-u").getStdout());
      assertNotEquals(0, server.execInContainer("touch", "/opt/twinrank/x").getExitCode());
      assertEquals(MEMORY, inspect(server).getHostConfig().getMemory());

      server
          .getDockerClient()
          .stopContainerCmd(server.getContainerId())
          .withTimeout(STOP_SECONDS)
          .exec();
      assertEquals(143L, inspect(server).getState().getExitCodeLong(), server::getLogs);
      assertFalse(inspect(server).getState().getOOMKilled());
    }
  }

  @Test
  void aBundleThatFailsEndsTheStartWith1AndTheProblemInTheLog() throws IOException {
    Path graph = Fixture.copyTo(models).resolve("model.onnx");
    byte[] content = Files.readAllBytes(graph);
    content[content.length / 2] ^= 1;
    Files.write(graph, content);
    try (GenericContainer<?> server = container()) {
      server.withStartupCheckStrategy(new Ended()).waitingFor(new NoWait()).start();
      assertEquals(1L, inspect(server).getState().getExitCodeLong());
      String log = server.getLogs();
      assertTrue(log.contains("nothing is served"), log);
      assertTrue(log.contains("model.onnx"), log);
    }
  }

  /** A container as the README says to run it. The fixture's evidence names no host's class. */
  private GenericContainer<?> container() {
    return new GenericContainer<>(IMAGE)
        .withExposedPorts(PORT, ADMIN_PORT)
        .withEnv("TWINRANK_REQUIRE", "reference")
        .withCreateContainerCmdModifier(
            command -> {
              command.withHealthcheck(
                  new HealthCheck().withInterval(Duration.ofMillis(500).toNanos()));
              command
                  .getHostConfig()
                  // Testcontainers' own way first asks a registry for an image that tries mounts.
                  .withBinds(new Bind(models.toString(), new Volume("/models"), AccessMode.ro))
                  .withReadonlyRootfs(true)
                  .withCapDrop(Capability.ALL)
                  .withSecurityOpts(List.of("no-new-privileges"))
                  .withMemory(MEMORY);
            });
  }

  private static void assertRanking(JsonNode expected, JsonNode answer) {
    JsonNode ranking = answer.get("ranking");
    assertEquals(expected.get("order").size(), ranking.size());
    assertTrue(ranking.size() > 1);
    for (int place = 0; place < ranking.size(); place++) {
      JsonNode entry = ranking.get(place);
      int index = entry.get("index").intValue();
      assertEquals(expected.get("order").get(place).intValue(), index);
      assertBits(expected.get("score").get(index), entry.get("score"));
      assertEquals(expected.get("heads").size(), entry.get("heads").size());
      expected
          .get("heads")
          .properties()
          .forEach(
              head ->
                  assertBits(head.getValue().get(index), entry.get("heads").get(head.getKey())));
    }
  }

  private static void assertBits(JsonNode stored, JsonNode answered) {
    // Any NaN equals any NaN, which doubleToLongBits makes one of.
    assertEquals(
        Double.doubleToLongBits(Fixture.value(stored.textValue())),
        Double.doubleToLongBits(Fixture.value(answered)));
  }

  private HttpResponse<byte[]> rank(GenericContainer<?> server, byte[] request)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(uri(server, PORT, "/v1/models/tiny:rank"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofByteArray(request))
            .build(),
        BodyHandlers.ofByteArray());
  }

  private HttpResponse<byte[]> get(GenericContainer<?> server, int port, String path)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(uri(server, port, path)).build(), BodyHandlers.ofByteArray());
  }

  private static URI uri(GenericContainer<?> server, int port, String path) {
    return URI.create(
        "http://%s:%d%s".formatted(server.getHost(), server.getMappedPort(port), path));
  }

  private static InspectContainerResponse inspect(GenericContainer<?> server) {
    return server.getDockerClient().inspectContainerCmd(server.getContainerId()).exec();
  }

  /** A container that is expected to end, with whatever status. */
  private static final class Ended extends StartupCheckStrategy {
    Ended() {
      withTimeout(START);
    }

    @Override
    public StartupStatus checkStartupState(DockerClient docker, String id) {
      return "exited".equals(docker.inspectContainerCmd(id).exec().getState().getStatus())
          ? StartupStatus.SUCCESSFUL
          : StartupStatus.NOT_YET_KNOWN;
    }
  }

  /** What has ended can be waited for no more. */
  private static final class NoWait
      extends org.testcontainers.containers.wait.strategy.AbstractWaitStrategy {
    @Override
    protected void waitUntilReady() {}
  }
}
