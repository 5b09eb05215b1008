package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HealthCheckTest {
  @Test
  void asksTheAdminListenerWhereThereIsOne() {
    assertEquals("http://127.0.0.1:8080/health/ready", HealthCheck.address(Map.of()));
    assertEquals(
        "http://127.0.0.1:9000/health/ready", HealthCheck.address(Map.of("TWINRANK_PORT", "9000")));
    assertEquals(
        "http://127.0.0.1:9001/health/ready",
        HealthCheck.address(Map.of("TWINRANK_PORT", "9000", "TWINRANK_ADMIN_PORT", "9001")));
    assertEquals(
        "http://127.0.0.1:9000/health/ready",
        HealthCheck.address(Map.of("TWINRANK_PORT", "9000", "TWINRANK_ADMIN_PORT", "-1")));
  }

  @Test
  void asksByLoopbackWhatListensEverywhereAndElseByItsAddress() {
    assertEquals(
        "http://127.0.0.1:8080/health/ready",
        HealthCheck.address(Map.of("TWINRANK_HOST", "0.0.0.0")));
    assertEquals(
        "http://127.0.0.1:8080/health/ready", HealthCheck.address(Map.of("TWINRANK_HOST", "::")));
    assertEquals(
        "http://10.0.0.7:8080/health/ready",
        HealthCheck.address(Map.of("TWINRANK_HOST", "10.0.0.7")));
    assertEquals(
        "http://[::1]:8080/health/ready", HealthCheck.address(Map.of("TWINRANK_HOST", "::1")));
  }

  @Test
  void onlyA200IsHealthy() throws Exception {
    assertTrue(askOneThatAnswers(200));
    assertFalse(askOneThatAnswers(503));
    assertFalse(askOneThatAnswers(302), "a redirection is no answer of ours");
  }

  @Test
  void whatDoesNotAnswerIsNotHealthy() throws Exception {
    HttpServer server = HttpServer.create(loopback(), 0);
    String address = address(server);
    server.start();
    server.stop(0);
    assertFalse(HealthCheck.ask(address));
  }

  private static boolean askOneThatAnswers(int status) throws Exception {
    HttpServer server = HttpServer.create(loopback(), 0);
    server.createContext(
        "/",
        exchange -> {
          boolean expected = exchange.getRequestURI().getPath().equals("/health/ready");
          exchange.getResponseHeaders().add("Location", "/elsewhere");
          exchange.sendResponseHeaders(expected ? status : 404, -1);
          exchange.close();
        });
    server.start();
    try {
      return HealthCheck.ask(address(server));
    } finally {
      server.stop(0);
    }
  }

  private static String address(HttpServer server) {
    return HealthCheck.address(
        Map.of("TWINRANK_PORT", Integer.toString(server.getAddress().getPort())));
  }

  private static InetSocketAddress loopback() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }
}
