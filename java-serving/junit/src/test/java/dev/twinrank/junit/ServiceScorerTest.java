package dev.twinrank.junit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.junit.Answer.Row;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Scorers that are not a model in hand: a service over loopback, and a store's leases. */
class ServiceScorerTest {
  static URI address;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private HttpServer server;
  private Model model;

  @BeforeEach
  void start() throws IOException {
    model = Model.open(Contracts.TINY, Contracts.OPTIONS);
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    answer("/v1/models/tiny:rank", this::ranked);
    answer("/v1/models/html:rank", request -> "<html>");
    answer("/v1/models/other:rank", request -> "{\"ranking\": 1}");
    server.start();
    address = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
  }

  @AfterEach
  void stop() {
    server.stop(0);
    threads.shutdownNow();
    model.close();
  }

  private interface Handler {
    String of(byte[] request);
  }

  private void answer(String path, Handler handler) {
    server.createContext(
        path,
        exchange -> {
          int status = 200;
          byte[] body;
          try {
            body =
                handler
                    .of(exchange.getRequestBody().readAllBytes())
                    .getBytes(StandardCharsets.UTF_8);
          } catch (ScoringException e) {
            status = e.code().httpStatus().getAsInt();
            body = problem(e).getBytes(StandardCharsets.UTF_8);
          }
          exchange.sendResponseHeaders(status, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
  }

  private String ranked(byte[] request) {
    Answer.Ranked told = (Answer.Ranked) Answer.of(model.rank(model.parse(request)));
    return "{\"model\": \"tiny\", \"candidates\": "
        + told.candidates()
        + ", \"ranking\": ["
        + rows(told.ranking(), true)
        + "], \"dropped\": ["
        + rows(told.dropped(), false)
        + "]}";
  }

  private static String rows(List<Row> rows, boolean scored) {
    return rows.stream()
        .map(
            row ->
                "{\"index\": "
                    + row.index()
                    + (scored
                        ? ", \"score\": " + number(row.score())
                        : ", \"reason\": \"nan_score\"")
                    + ", \"heads\": {"
                    + row.heads().entrySet().stream()
                        .map(head -> "\"" + head.getKey() + "\": " + number(head.getValue()))
                        .collect(Collectors.joining(", "))
                    + "}}")
        .collect(Collectors.joining(", "));
  }

  private static String number(double value) {
    return Double.isFinite(value) ? "" + value : "\"" + value + "\"";
  }

  private static String problem(ScoringException e) {
    return "{\"type\": \"urn:twinrank:error:"
        + e.code().code()
        + "\", \"code\": \""
        + e.code().code()
        + "\""
        + e.feature().map(name -> ", \"feature\": \"" + name + "\"").orElse("")
        + (e.candidate().isPresent() ? ", \"candidate\": " + e.candidate().getAsInt() : "")
        + "}";
  }

  static final class OfService extends Contracts.OfTiny {
    @Override
    protected ContractScorer open(Path bundle) {
      return ContractScorer.of(address, "tiny");
    }

    @Override
    protected int mutations() {
      return 100;
    }
  }

  static final class OfStore extends Contracts.OfTiny {
    private ModelStore store;

    @Override
    protected ContractScorer open(Path bundle) {
      if (store == null) {
        store =
            ModelStore.open(
                bundle.getParent().getParent(), StoreOptions.builder().model(options()).build());
        store.activate("tiny", 1);
      }
      return ContractScorer.of(store, "tiny");
    }

    @Override
    protected int mutations() {
      return 100;
    }
  }

  @Test
  void aServiceIsHeldToTheContractOverHttp() {
    assertEquals(
        Map.of(), ScorerContractTestTest.failures(ScorerContractTestTest.run(OfService.class)));
  }

  @Test
  void aStoreIsHeldToTheContractLeaseByLease() {
    assertEquals(
        Map.of(), ScorerContractTestTest.failures(ScorerContractTestTest.run(OfStore.class)));
  }

  @Test
  void anAnswerThatIsNoneOfTheContractNamesTheAddressAndShowsIt() throws Exception {
    for (String name : List.of("html", "other", "nobody")) {
      ContractScorer scorer = ContractScorer.of(address, name);
      IOException refused =
          assertThrows(
              IOException.class, () -> scorer.score("{}".getBytes(StandardCharsets.UTF_8)));
      assertTrue(
          refused.getMessage().contains("/v1/models/" + name + ":rank answered"),
          refused.getMessage());
    }
  }
}
