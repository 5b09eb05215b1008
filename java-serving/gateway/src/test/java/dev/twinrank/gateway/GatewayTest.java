package dev.twinrank.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewayTest {
  private static final String SCORE = "{\"op\": \"score\"}";

  @TempDir private Path folder;

  static Path tiny() {
    return Path.of(System.getProperty("basedir"))
        .resolve("../../tests/contract/vectors/bundles/tiny/1")
        .normalize();
  }

  static byte[] request() throws IOException {
    try (Stream<String> lines = Files.lines(tiny().resolve("goldens/requests.jsonl"))) {
      return lines.findFirst().orElseThrow().getBytes(StandardCharsets.UTF_8);
    }
  }

  private GatewayOptions options() {
    return GatewayOptions.at(folder.resolve("gateway.json"));
  }

  private static Model openTiny() {
    return Model.open(tiny(), ModelOptions.builder().require(Require.REFERENCE).build());
  }

  private JsonNode connection() throws IOException {
    return new ObjectMapper().readTree(options().connectionFile().toFile());
  }

  private PythonSide python() throws IOException {
    PythonSide python = new PythonSide(connection().get("port").intValue());
    assertEquals("!yv", python.authenticate(connection().get("token").textValue()));
    return python;
  }

  @Test
  void aLiveModelIsScoredInPlaceAndStaysOpen() throws IOException {
    try (Model live = openTiny()) {
      try (Gateway gateway = Gateway.open(live, options());
          PythonSide python = python()) {
        assertEquals(gateway.port(), connection().get("port").intValue());
        assertTrue(python.handle(SCORE, request()).get("ok").booleanValue());
        assertEquals(
            live.digest(),
            python
                .handle("{\"op\": \"load\", \"require\": \"reference\"}", new byte[0])
                .get("bundle")
                .textValue());
        assertEquals(
            "attached",
            python
                .handle("{\"op\": \"load\", \"bundle\": \"/\"}", new byte[0])
                .get("code")
                .textValue());
      }
      assertEquals(1, live.rank(live.parse(request())).entries().size());
    }
  }

  @Test
  void withoutAModelTheClientLoadsBundles() throws IOException {
    try (Gateway gateway = Gateway.open(options());
        PythonSide python = python()) {
      assertTrue(gateway.port() > 0);
      assertEquals("not_loaded", python.handle(SCORE, request()).get("code").textValue());
      String load =
          "{\"op\": \"load\", \"bundle\": \"%s\", \"require\": \"reference\"}".formatted(tiny());
      assertTrue(python.handle(load, new byte[0]).get("ok").booleanValue());
      assertEquals(1, python.handle(SCORE, request()).get("n").intValue());
    }
  }

  @Test
  void withoutTheTokenNothingIsCalled() throws IOException {
    try (Gateway gateway = Gateway.open(options());
        PythonSide wrong = new PythonSide(gateway.port());
        PythonSide none = new PythonSide(gateway.port())) {
      assertTrue(wrong.authenticate("0".repeat(64)).startsWith("!x"));
      assertTrue(none.command("c\nt\nhandle\njAAAA\ne\n").startsWith("!x"));
    }
  }

  @Test
  void onlyTheOwnerReadsTheConnectionFile() throws IOException {
    try (Gateway gateway = Gateway.open(options())) {
      assertTrue(gateway.port() > 0);
      assertEquals(
          PosixFilePermissions.fromString("rw-------"),
          Files.getPosixFilePermissions(options().connectionFile()));
      assertEquals("127.0.0.1", connection().get("host").textValue());
      assertEquals(ProcessHandle.current().pid(), connection().get("pid").longValue());
      assertTrue(connection().get("token").textValue().matches("[0-9a-f]{64}"));
      try (Stream<Path> files = Files.list(folder)) {
        assertEquals(List.of(options().connectionFile()), files.toList());
      }
    }
  }

  @Test
  void everyGatewayHasATokenOfItsOwn() throws IOException {
    Path other = folder.resolve("other.json");
    try (Gateway first = Gateway.open(options());
        Gateway second = Gateway.open(GatewayOptions.at(other))) {
      assertNotEquals(first.port(), second.port());
      assertNotEquals(
          connection().get("token"), new ObjectMapper().readTree(other.toFile()).get("token"));
    }
  }

  @Test
  void closingRemovesTheFileAndTheDoor() throws IOException, InterruptedException {
    Gateway gateway = Gateway.open(options());
    int port = gateway.port();
    gateway.close();
    gateway.close();

    assertFalse(Files.exists(options().connectionFile()));
    // The kernel keeps a listening socket until the thread that sleeps in accept has woken up.
    for (int i = 0; i < 500 && connects(port); i++) {
      TimeUnit.MILLISECONDS.sleep(10);
    }
    assertFalse(connects(port));
  }

  private static boolean connects(int port) throws IOException {
    try {
      new PythonSide(port).close();
      return true;
    } catch (ConnectException e) {
      return false;
    }
  }

  @Test
  void aFileThatALaterGatewayWroteIsLeftToIt() throws IOException {
    Gateway earlier = Gateway.open(options());
    try (Gateway later = Gateway.open(options())) {
      earlier.close();
      assertEquals(later.port(), connection().get("port").intValue());
    }
    assertFalse(Files.exists(options().connectionFile()));
  }

  @Test
  void aPortThatIsTakenIsSaid() throws IOException {
    try (ServerSocket taken = new ServerSocket(0)) {
      GatewayOptions options = new GatewayOptions(options().connectionFile(), taken.getLocalPort());
      UncheckedIOException e =
          assertThrows(UncheckedIOException.class, () -> Gateway.open(options).close());
      assertTrue(e.getMessage().contains(String.valueOf(taken.getLocalPort())), e.getMessage());
      assertFalse(Files.exists(options.connectionFile()));
    }
  }

  @Test
  void aFolderThatIsNotThereLeavesNoDoorOpen() {
    GatewayOptions options = GatewayOptions.at(folder.resolve("absent").resolve("gateway.json"));
    assertThrows(UncheckedIOException.class, () -> Gateway.open(options).close());
  }

  @Test
  void itsThreadsDoNotKeepTheProcessAlive() throws IOException {
    List<Thread> before = List.copyOf(Thread.getAllStackTraces().keySet());
    try (Gateway gateway = Gateway.open(options());
        PythonSide python = python()) {
      assertTrue(gateway.port() > 0);
      assertTrue(python.handle("{\"op\": \"bye\"}", new byte[0]).get("ok").booleanValue());
      List<Thread> lasting =
          Thread.getAllStackTraces().keySet().stream()
              .filter(thread -> !before.contains(thread) && !thread.isDaemon())
              .toList();
      assertEquals(List.of(), lasting);
    }
  }
}
