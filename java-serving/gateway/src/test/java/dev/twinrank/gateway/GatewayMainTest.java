package dev.twinrank.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewayMainTest {
  @TempDir private Path folder;
  private Process process;

  @AfterEach
  void kill() {
    if (process != null) {
      process.destroyForcibly();
    }
  }

  @Test
  void servesABundleUntilStdinEnds() throws IOException, InterruptedException {
    start(
        "--bundle", GatewayTest.tiny().toString(), "--require", "reference", "--until-stdin-ends");
    JsonNode connection = connection();
    try (PythonSide python = new PythonSide(connection.get("port").intValue())) {
      assertEquals("!yv", python.authenticate(connection.get("token").textValue()));
      assertTrue(
          python.handle("{\"op\": \"score\"}", GatewayTest.request()).get("ok").booleanValue());
    }

    process.getOutputStream().close();

    assertEquals(0, exitStatus());
    assertFalse(Files.exists(file()));
  }

  @Test
  void aSignalEndsItAndTheTokensFileGoesWithIt() throws IOException, InterruptedException {
    start();
    assertEquals(process.pid(), connection().get("pid").longValue());

    process.destroy();

    assertEquals(143, exitStatus());
    assertFalse(Files.exists(file()));
  }

  @Test
  void aBundleThatFailsOpensNoDoor() throws IOException, InterruptedException {
    // The fixture's evidence names a host class of zeros, and bits are required unless said
    // otherwise.
    start("--bundle", GatewayTest.tiny().toString());

    assertEquals(1, exitStatus());
    assertTrue(Files.readString(folder.resolve("err")).contains("host_class_mismatch"));
    assertFalse(Files.exists(file()));
  }

  @Test
  void aWrongOptionIsUsage() throws IOException, InterruptedException {
    start("--hope");
    assertEquals(2, exitStatus());
    start("--port", "99999");
    assertEquals(2, exitStatus());
    assertTrue(Files.readString(folder.resolve("err")).contains("--port: port is 99999"));
  }

  private Path file() {
    return folder.resolve("gateway.json");
  }

  private void start(String... options) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                GatewayMain.class.getName(),
                "--connection-file",
                file().toString()));
    command.addAll(Arrays.asList(options));
    process = new ProcessBuilder(command).redirectError(folder.resolve("err").toFile()).start();
  }

  private JsonNode connection() throws IOException, InterruptedException {
    while (!Files.exists(file())) {
      assertTrue(process.isAlive(), () -> "the gateway ended with " + process.exitValue());
      TimeUnit.MILLISECONDS.sleep(20);
    }
    return new ObjectMapper().readTree(file().toFile());
  }

  private int exitStatus() throws InterruptedException {
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the gateway does not end");
    return process.exitValue();
  }
}
