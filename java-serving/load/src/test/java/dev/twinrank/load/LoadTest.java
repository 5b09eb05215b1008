package dev.twinrank.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.Server;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The driver against a server that counts and answers by its request's first letter. */
class LoadTest {
  private static final MediaType PROBLEM = MediaType.parse("application/problem+json");

  @TempDir private Path folder;
  private static final AtomicInteger SERVED = new AtomicInteger();
  private static volatile String suffix = "";
  private static Server server;

  @BeforeAll
  static void start() {
    server =
        Server.builder()
            .http(0)
            .service(
                "/echo",
                (ctx, request) ->
                    HttpResponse.of(
                        request
                            .aggregate()
                            .thenApply(
                                whole -> {
                                  SERVED.incrementAndGet();
                                  return answer(whole.contentUtf8());
                                })))
            // What is closed here has nothing under way.
            .gracefulShutdownTimeoutMillis(0, 0)
            .build();
    server.start().join();
  }

  @AfterAll
  static void stop() {
    server.stop().join();
  }

  private static HttpResponse answer(String body) {
    return switch (body.charAt(0)) {
      case 'r' ->
          HttpResponse.of(
              HttpStatus.SERVICE_UNAVAILABLE, PROBLEM, "{\"status\":503,\"code\":\"overloaded\"}");
      case 'b' -> HttpResponse.of(HttpStatus.BAD_REQUEST, PROBLEM, "{\"code\": \"invalid_json\"}");
      default -> HttpResponse.of(HttpStatus.OK, MediaType.PLAIN_TEXT, body + suffix);
    };
  }

  private static String url(String path) {
    return "http://127.0.0.1:" + server.activeLocalPort() + path;
  }

  private Path bodies(String... lines) throws IOException {
    return Files.write(folder.resolve("bodies.txt"), List.of(lines));
  }

  @ParameterizedTest
  @ValueSource(strings = {"h1", "h2"})
  void everyRequestIsCountedOnceByStatusAndByCodeAndTheServerSaysTheSame(String protocol)
      throws IOException {
    int before = SERVED.get();
    Run run =
        Run.of(
            "--url",
            url("/echo"),
            "--bodies",
            bodies("ok 1", "refused", "bad", "ok 2").toString(),
            "--protocol",
            protocol,
            "--connections",
            "3",
            "--phase",
            "warm-open=2000/s,1000",
            "--phase",
            "warm-closed=x7,1000");
    assertEquals(0, run.status(), run.said());
    assertEquals(2000, SERVED.get() - before);
    for (String name : List.of("warm-open", "warm-closed")) {
      JsonNode phase = run.phase(name);
      assertEquals(1000, phase.get("due").asInt(), name);
      assertEquals(1000, phase.get("answered").asInt(), name);
      assertEquals("{\"200\":500,\"400\":250,\"503\":250}", phase.get("by_status").toString());
      assertEquals("{\"invalid_json\":250,\"overloaded\":250}", phase.get("by_code").toString());
      assertEquals(
          "{\"admitted\":500,\"refused\":250,\"other\":250}", phase.get("outcomes").toString());
      assertEquals(500, phase.at("/latency_us/admitted/count").asInt());
      assertEquals(250, phase.at("/latency_us/refused/count").asInt());
      assertEquals("{}", phase.get("errors").toString());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"h1", "h2"})
  void anAnswerThatIsNeitherOldNorNewIsMixed(String protocol) throws IOException {
    String bodies = bodies("a", "d", "c").toString();
    suffix = "";
    Path old = folder.resolve("old");
    Path fresh = folder.resolve("fresh");
    record(protocol, bodies, old);
    suffix = "!";
    record(protocol, bodies, fresh);
    String[] check = {
      "--url",
      url("/echo"),
      "--bodies",
      bodies,
      "--protocol",
      protocol,
      "--expect",
      "old=" + old,
      "--expect",
      "fresh=" + fresh,
      "--phase",
      "warm=x2,30"
    };
    assertEquals("{\"fresh\":30}", Run.of(check).phase("warm").get("by_answer").toString());
    suffix = "";
    assertEquals("{\"old\":30}", Run.of(check).phase("warm").get("by_answer").toString());
    suffix = "?";
    Run mixed = Run.of(check);
    assertEquals("{\"mixed\":30}", mixed.phase("warm").get("by_answer").toString());
    String examples = mixed.report().get("mixed_examples").toString();
    assertTrue(examples.contains("\"request 0: a?\""), examples);
  }

  private void record(String protocol, String bodies, Path into) throws IOException {
    Run run =
        Run.of(
            "--url",
            url("/echo"),
            "--bodies",
            bodies,
            "--protocol",
            protocol,
            "--record",
            into.toString(),
            "--phase",
            "record=x1,3");
    assertEquals(0, run.status(), run.said());
  }

  @Test
  void nothingIsRecordedWhereAnAnswerIsNoSuccess() throws IOException {
    Path into = folder.resolve("recorded");
    Run run =
        Run.of(
            "--url", url("/echo"),
            "--bodies", bodies("a", "refused").toString(),
            "--record", into.toString(),
            "--phase", "record=x1,2");
    assertEquals(1, run.status());
    assertTrue(
        run.said().contains("nothing recorded: 2 of 2 requests were sent, 1 answered"), run.said());
    assertTrue(Files.notExists(into));
  }

  @Test
  void aPlanNamesMethodPathLabelAndBodyOfEachRequest() throws IOException {
    Path plan = folder.resolve("plan.jsonl");
    Files.write(folder.resolve("raw"), "from a file".getBytes(StandardCharsets.UTF_8));
    Files.write(
        plan,
        List.of(
            "{\"label\":\"good\",\"text\":\"a\"}",
            "{\"label\":\"file\",\"file\":\"raw\"}",
            "{\"label\":\"nowhere\",\"path\":\"/nowhere\",\"method\":\"GET\"}",
            "{\"label\":\"good\",\"base64\":\"YQ==\"}"));
    Run run = Run.of("--url", url("/echo"), "--plan", plan.toString(), "--phase", "warm=x1,8");
    assertEquals(0, run.status(), run.said());
    assertEquals(
        "{\"file 200\":2,\"good 200\":4,\"nowhere 404 -\":2}",
        run.phase("warm").get("by_label").toString());
  }

  @Test
  void aLineOfAPlanThatIsNoRequestIsNamed() throws IOException {
    Path plan = folder.resolve("plan.jsonl");
    Files.write(plan, List.of("{\"text\":\"a\"}", "{\"bodies\":\"a\"}"));
    Run run = Run.of("--url", url("/echo"), "--plan", plan.toString(), "--phase", "warm=x1,8");
    assertEquals(2, run.status());
    assertTrue(run.said().contains("plan.jsonl line 2: 'bodies' is none of"), run.said());
  }

  @Test
  void aPhaseThatIsNoneIsRefusedWithWhatOneIs() throws IOException {
    Run run = Run.of("--url", url("/echo"), "--phase", "main=fast");
    assertEquals(2, run.status());
    assertTrue(run.said().contains("NAME=RATE/s,END or NAME=xINFLIGHT,END"), run.said());
  }

  @ParameterizedTest
  @ValueSource(strings = {"warm=500/s,0.5s", "warm=x2,0.5s"})
  void aPhaseByTimeLastsThatLong(String phase) throws IOException {
    Run run = Run.of("--url", url("/echo"), "--bodies", bodies("a").toString(), "--phase", phase);
    assertTrue(run.phase("warm").get("seconds").asDouble() >= 0.5);
    assertEquals(run.phase("warm").get("due"), run.phase("warm").get("answered"));
  }

  @Test
  void equalGapsGiveTheRateToTheRequest() throws IOException {
    Run run =
        Run.of(
            "--url", url("/echo"), "--bodies", bodies("a").toString(), "--phase", "warm=250/s,2s");
    assertEquals(500, run.phase("warm").get("due").asInt());
    assertEquals(250.0, run.phase("warm").get("offered_per_second").asDouble(), 1e-9);
  }

  @Test
  void exponentialGapsAreThoseOfTheirSeed() throws IOException {
    String[] arguments = {
      "--url",
      url("/echo"),
      "--bodies",
      bodies("a").toString(),
      "--poisson",
      "--phase",
      "warm=1000/s,0.5s"
    };
    int first = Run.of(arguments).phase("warm").get("due").asInt();
    assertEquals(first, Run.of(arguments).phase("warm").get("due").asInt());
    // Five standard deviations of a Poisson count around 500.
    assertEquals(500, first, 112);
  }

  /** Told before the connections are there, which is before the phase can begin. */
  @Test
  void aPhaseThatIsToldToEndBeforeItHasBegunEndsAtItsBeginning() throws IOException {
    InputStream stdin = System.in;
    System.setIn(
        new ByteArrayInputStream(
            "phase warm=100/s,told\nnext\nend\n".getBytes(StandardCharsets.UTF_8)));
    try {
      Run run = Run.of("--url", url("/echo"), "--bodies", bodies("a").toString(), "--control");
      assertEquals(0, run.status(), run.said());
      assertEquals("warm", run.report().get("name").asText());
    } finally {
      System.setIn(stdin);
    }
  }
}
