package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.server.Http.Answer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What signals do to a server in a process of its own. */
class SignalsTest {
  private static final String RANK = "/v1/models/tiny:rank";

  @TempDir private Path folder;

  @Test
  void hangupReadsThePointersAndASecondTermEndsTheDelay() throws Exception {
    Path models = folder.resolve("models");
    Versions.same(models, 1);
    Versions.same(models, 2);
    Files.writeString(models.resolve("tiny/active"), "1\n");
    try (Fork server =
        new Fork(
            folder,
            "--models",
            models.toString(),
            "--require",
            "reference",
            "--watch",
            "0",
            "--drain-delay",
            "3600",
            "--port",
            "0",
            "--port-file",
            folder.resolve("port").toString())) {
      Http http = server.ready();
      assertEquals(1, version(http));

      Files.writeString(models.resolve("tiny/active"), "2\n");
      server.signal("HUP");
      await(server, () -> version(http) == 2);

      server.terminate();
      await(server, () -> http.get("/health/ready").status() == 503);
      Answer late = http.post(RANK, Tiny.requests().get(1));
      assertEquals(200, late.status());
      assertEquals("close", late.header("connection"));
      server.terminate();

      assertEquals(143, server.exitStatus());
      assertFalse(server.crashed(), server.err());
      assertFalse(server.err().contains("ERROR"), server.err());
    }
    assertEquals("2\n", Files.readString(models.resolve("tiny/active")));
  }

  private static int version(Http http) {
    return http.post(RANK, Tiny.requests().get(1)).json().get("version").intValue();
  }

  private static void await(Fork server, BooleanSupplier condition) throws InterruptedException {
    while (!condition.getAsBoolean()) {
      assertTrue(server.alive(), server.err());
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
