package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Model;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.api.Views;
import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGTERM under load: every request that was sent is answered, with the right bits or with a
 * refusal that says so.
 */
class DrainTest {
  private static final int CALLERS = 8;
  private static final int ANSWERS_BEFORE_THE_SIGNAL = 400;
  private static final String RANK = "/v1/models/tiny:rank";

  @TempDir private Path folder;

  private final AtomicInteger answered = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();

  @RepeatedTest(3)
  void noAnswerIsLostAndNothingCrashes() throws Exception {
    byte[] request = Tiny.requests().get(1);
    byte[] expected;
    try (Model model = Tiny.open()) {
      expected = Views.ranking(model, 1, model.rank(model.parse(request)));
    }
    Path run = Files.createTempDirectory(folder, "run");
    ExecutorService callers = Executors.newFixedThreadPool(CALLERS);
    try (Fork server =
        new Fork(
            run,
            "--models",
            Tiny.MODELS.toString(),
            "--require",
            "reference",
            "--queue-age",
            "60000",
            "--port",
            "0",
            "--port-file",
            run.resolve("port").toString())) {
      server.ready();
      String url = server.url();
      List<Callable<Void>> load =
          IntStream.range(0, CALLERS)
              .<Callable<Void>>mapToObj(
                  caller ->
                      () -> {
                        callUntilTheEnd(
                            new Http(
                                url,
                                caller % 2 == 0
                                    ? HttpClient.Version.HTTP_1_1
                                    : HttpClient.Version.HTTP_2),
                            request,
                            expected);
                        return null;
                      })
              .toList();
      List<Future<Void>> calls = load.stream().map(callers::submit).toList();
      while (answered.get() < ANSWERS_BEFORE_THE_SIGNAL) {
        assertTrue(server.alive(), server.err());
        TimeUnit.MILLISECONDS.sleep(1);
      }
      server.terminate();

      for (Future<Void> call : calls) {
        call.get(60, TimeUnit.SECONDS);
      }
      assertEquals(143, server.exitStatus());
      assertFalse(server.crashed(), server.err());
      assertFalse(server.err().contains("ERROR"), server.err());
      assertTrue(refused.get() > 0, "nobody was told that the server drains");
    } finally {
      callers.shutdownNow();
    }
  }

  /**
   * Ends when the server says that it drains, or when its door is closed; any other end is an
   * answer that was lost.
   */
  private void callUntilTheEnd(Http http, byte[] request, byte[] expected) throws IOException {
    while (true) {
      Answer answer;
      try {
        answer =
            http.exchange(
                http.request(RANK)
                    .header("Content-Type", "application/json")
                    .POST(BodyPublishers.ofByteArray(request)));
      } catch (ConnectException e) {
        return;
      }
      if (answer.status() == 503) {
        assertEquals("not_ready", answer.json().get("code").textValue());
        refused.incrementAndGet();
        return;
      }
      assertEquals(200, answer.status());
      assertArrayEquals(expected, answer.body());
      answered.incrementAndGet();
    }
  }
}
