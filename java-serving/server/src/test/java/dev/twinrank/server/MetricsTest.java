package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.server.Http.Answer;
import dev.twinrank.server.flow.FlowSettings;
import dev.twinrank.server.life.ModelDirectory;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The server's counts are compared with the client's own. */
class MetricsTest {
  private static final int MAX_BODY = 65_536;

  private RankServer server;
  private Http http;

  @BeforeEach
  void start() {
    server =
        new RankServer(
            Settings.loopback()
                .with(new FlowSettings(MAX_BODY, 2).withQueueAge(Duration.ofMinutes(1))));
    server.start();
    http = new Http(server.url());
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void serve() {
    ModelOptions options =
        ModelOptions.builder().require(Require.REFERENCE).listener(server.listener()).build();
    server.serve(new ModelDirectory(Tiny.MODELS, options).open(() -> false).orElseThrow());
  }

  private String scrape() {
    return new String(http.get("/metrics").body(), StandardCharsets.UTF_8);
  }

  private static Map<String, Double> samples(String scrape, String metric) {
    Map<String, Double> samples = new TreeMap<>();
    Matcher sample = Pattern.compile("(?m)^" + metric + "(\\{.*})? (\\S+)$").matcher(scrape);
    while (sample.find()) {
      samples.put(sample.group(1), Double.parseDouble(sample.group(2)));
    }
    return samples;
  }

  @Test
  void requestsAreCountedAsTheClientCountsThem() throws Exception {
    Map<String, LongAdder> own = new ConcurrentHashMap<>();
    LongAdder candidates = new LongAdder();
    count(own, "-", http.post("/v1/models/tiny:rank", Tiny.requests().get(0)));
    serve();
    ExecutorService callers = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Void>> calls =
          IntStream.range(0, 4)
              .<Callable<Void>>mapToObj(
                  caller ->
                      () -> {
                        traffic(own, candidates);
                        return null;
                      })
              .toList();
      for (Future<Void> call : callers.invokeAll(calls)) {
        call.get();
      }
    } finally {
      callers.shutdownNow();
    }

    String scrape = scrape();
    Map<String, Double> expected = new TreeMap<>();
    own.forEach((labels, count) -> expected.put(labels, count.doubleValue()));
    assertEquals(expected, samples(scrape, "rec_requests_total"));
    double tiny =
        own.entrySet().stream()
            .filter(entry -> entry.getKey().contains("\"tiny\""))
            .mapToDouble(entry -> entry.getValue().doubleValue())
            .sum();
    assertEquals(
        tiny,
        samples(scrape, "rec_request_seconds_count").get("{model=\"tiny\",protocol=\"rank\"}"));
    assertEquals(
        tiny,
        samples(scrape, "rec_request_seconds_bucket")
            .get("{model=\"tiny\",protocol=\"rank\",le=\"+Inf\"}"));
    assertEquals(
        candidates.doubleValue(), samples(scrape, "rec_candidates_sum").get("{model=\"tiny\"}"));
    modelsAreCountedAsTheClientCountsThem(scrape, own, candidates.doubleValue());
  }

  /** What reaches the model is what the service itself does not refuse. */
  private static void modelsAreCountedAsTheClientCountsThem(
      String scrape, Map<String, LongAdder> own, double candidates) {
    String tiny = "model=\"tiny\"";
    String tags = tiny + ",%s,version=\"1\"";
    Map<String, Double> expected = new TreeMap<>();
    for (ErrorCode code : ErrorCode.values()) {
      if (code.family() == ErrorCode.Family.SCORING) {
        expected.put(code.code(), 0.0);
      }
    }
    expected.put("ok", 0.0);
    own.forEach(
        (labels, count) -> {
          Matcher outcome = Pattern.compile("outcome=\"([^\"]*)\"").matcher(labels);
          if (labels.contains(tiny) && outcome.find()) {
            expected.computeIfPresent(outcome.group(1), (code, zero) -> count.doubleValue());
          }
        });
    Map<String, Double> labelled = new TreeMap<>();
    expected.forEach(
        (code, count) ->
            labelled.put("{" + tags.formatted("outcome=\"" + code + "\"") + "}", count));
    assertEquals(labelled, samples(scrape, "rec_model_requests_total"));
    double ok = expected.get("ok");
    assertTrue(ok > 0);
    assertEquals(
        Map.of("{" + tiny + ",version=\"1\"}", candidates),
        samples(scrape, "rec_model_candidates_total"));
    Map<String, Double> stages = samples(scrape, "rec_stage_seconds_count");
    assertEquals(ok, stages.get("{" + tiny + ",stage=\"order\",version=\"1\"}"));
    assertEquals(ok, stages.get("{" + tiny + ",stage=\"write\",version=\"1\"}"));
    double all = expected.values().stream().mapToDouble(Double::doubleValue).sum();
    assertEquals(all, stages.get("{" + tiny + ",stage=\"pack\",version=\"1\"}"));
  }

  private void traffic(Map<String, LongAdder> own, LongAdder candidates) {
    Http client = new Http(server.url());
    byte[] request = Tiny.requests().get(1);
    for (int i = 0; i < 10; i++) {
      for (byte[] raw : Tiny.requests()) {
        Answer answer = client.post("/v1/models/tiny:rank", raw);
        count(own, "tiny", answer);
        if (answer.status() == 200) {
          candidates.add(answer.json().get("candidates").intValue());
        }
      }
      count(own, "tiny", client.post("/v1/models/tiny/versions/7:rank", request));
      count(own, "-", client.post("/v1/models/large" + i + ":rank", request));
      count(own, "tiny", client.get("/v1/models/tiny:rank"));
      count(own, "tiny", client.post("/v1/models/tiny:rank", new byte[MAX_BODY + 1]));
      count(
          own,
          "tiny",
          client.send(
              client.request("/v1/models/tiny:rank").POST(BodyPublishers.ofByteArray(request))));
      client.get("/v1/models");
      client.get("/nothing");
    }
  }

  private static void count(Map<String, LongAdder> own, String model, Answer answer) {
    String outcome = answer.status() == 200 ? "ok" : answer.json().get("code").textValue();
    own.computeIfAbsent(
            "{model=\"%s\",outcome=\"%s\",protocol=\"rank\"}".formatted(model, outcome),
            labels -> new LongAdder())
        .increment();
  }

  @Test
  @Timeout(60)
  void aClientThatHangsUpWithinItsBodyIsNoFaultOfTheServer() throws Exception {
    serve();
    try (Socket socket =
        new Socket(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), server.port())) {
      socket
          .getOutputStream()
          .write(
              ("POST /v1/models/tiny:rank HTTP/1.1\r\nHost: x\r\n"
                      + "Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n"
                      + " ".repeat(2_000))
                  .getBytes(StandardCharsets.US_ASCII));
    }

    Map<String, Double> counted = samples(scrape(), "rec_requests_total");
    while (counted.isEmpty()) {
      TimeUnit.MILLISECONDS.sleep(10);
      counted = samples(scrape(), "rec_requests_total");
    }
    assertEquals(
        Map.of("{model=\"tiny\",outcome=\"invalid_http\",protocol=\"rank\"}", 1.0), counted);
  }

  @Test
  void bucketsBeginAtAHundredMicroseconds() {
    serve();
    http.post("/v1/models/tiny:rank", Tiny.requests().get(0));

    String scrape = scrape();
    assertTrue(
        scrape.contains(
            "rec_request_seconds_bucket{model=\"tiny\",protocol=\"rank\",le=\"1.0E-4\"}"),
        scrape);
    assertEquals(17, samples(scrape, "rec_request_seconds_bucket").size());
    assertTrue(scrape.contains("rec_candidates_bucket{model=\"tiny\",le=\"10000.0\"}"), scrape);
  }

  @Test
  @Timeout(60)
  void everyHttpRequestIsTimedUnderTheStandardsName() throws Exception {
    serve();
    for (int i = 0; i < 3; i++) {
      http.post("/v1/models/tiny:rank", Tiny.requests().get(0));
    }
    http.post("/v1/models/tiny/versions/1:rank", Tiny.requests().get(0));
    http.post("/v1/models/nobody" + System.nanoTime() + ":rank", Tiny.requests().get(0));
    http.get("/v1/models/tiny:rank");
    http.get("/v1/models/tiny/schema");
    http.get("/nothing/" + System.nanoTime());
    http.get("/v2/models/tiny/ready");

    Map<String, Double> expected = new TreeMap<>();
    expected.put(http("POST", "/v1/models/{name}:rank", 200), 3.0);
    expected.put(http("POST", "/v1/models/{name}/versions/{version}:rank", 200), 1.0);
    expected.put(http("POST", "/v1/models/{name}:rank", 404), 1.0);
    expected.put(http("GET", "/v1/models/{name}:rank", 405), 1.0);
    expected.put(http("GET", "/v1/models/{name}/schema", 200), 1.0);
    expected.put(http("GET", "", 404), 1.0);
    expected.put(http("GET", "/v2/models/{name}/ready", 200), 1.0);
    expected.put("active GET", 1.0); // the scrape itself
    expected.put("active POST", 0.0);
    // Counted once an answer is gone, so a client may be faster.
    Map<String, Double> counted = Map.of();
    for (int tries = 0; !counted.equals(expected); tries++) {
      assertTrue(tries < 1_000, counted::toString);
      TimeUnit.MILLISECONDS.sleep(10);
      String scrape = scrape();
      counted = samples(scrape, "http_server_request_duration_seconds_count");
      counted.keySet().removeIf(labels -> labels.contains("\"/metrics\""));
      Map<String, Double> active = samples(scrape, "http_server_active_requests");
      assertEquals(2, active.size(), active::toString);
      for (String method : List.of("GET", "POST")) {
        counted.put("active " + method, active.get("{http_request_method=\"" + method + "\"}"));
      }
    }
  }

  private static String http(String method, String route, int status) {
    return "{error_type=\"\",http_request_method=\"%s\",http_response_status_code=\"%d\",http_route=\"%s\"}"
        .formatted(method, status, route);
  }

  @Test
  void theBundleThatIsServedIsNamed() {
    assertEquals(Map.of(), samples(scrape(), "rec_bundle_info"));
    serve();

    String digest = http.get("/v1/models/tiny").json().get("bundle").textValue();
    assertEquals(
        Map.of("{bundle=\"%s\",model=\"tiny\",version=\"1\"}".formatted(digest), 1.0),
        samples(scrape(), "rec_bundle_info"));
  }

  @Test
  void theJvmIsThereInPrometheusTextFormat() {
    Answer answer = http.get("/metrics");
    assertEquals("text/plain; version=0.0.4; charset=utf-8", answer.contentType());
    String scrape = scrape();
    for (String metric :
        List.of(
            "jvm_memory_used_bytes",
            "jvm_threads_live_threads",
            "process_resident_memory_bytes",
            "rec_build_info",
            "process_cpu_usage",
            "process_uptime_seconds",
            "process_files_open_files")) {
      assertTrue(scrape.contains("\n" + metric), metric);
    }
  }

  @Test
  void openMetricsNameTheTraceOfARequestThatSomebodyRecords() {
    serve();
    String trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    byte[] request = Tiny.requests().get(0);
    http.send(
        http.request("/v1/models/tiny:rank")
            .header("content-type", "application/json")
            .header("traceparent", "00-" + trace + "-00f067aa0ba902b7-01")
            .POST(BodyPublishers.ofByteArray(request)));

    Answer open =
        http.send(
            http.request("/metrics")
                .header("accept", "application/openmetrics-text;version=1.0.0"));
    assertEquals("application/openmetrics-text; version=1.0.0; charset=utf-8", open.contentType());
    String text = new String(open.body(), StandardCharsets.UTF_8);
    assertTrue(text.contains("trace_id=\"" + trace + "\""), text);
    assertTrue(text.endsWith("# EOF\n"), text);
    assertTrue(!scrape().contains(trace));
  }

  @Test
  void aBundlesAgeBeginsWhenItIsServed() {
    serve();
    double first =
        samples(scrape(), "rec_bundle_age_seconds").get("{model=\"tiny\",version=\"1\"}");
    double second =
        samples(scrape(), "rec_bundle_age_seconds").get("{model=\"tiny\",version=\"1\"}");
    assertTrue(first >= 0 && second > first, first + " " + second);
  }
}
