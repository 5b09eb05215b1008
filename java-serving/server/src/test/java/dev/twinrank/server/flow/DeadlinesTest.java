package dev.twinrank.server.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.RequestHeadersBuilder;
import dev.twinrank.server.problem.Refusal;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DeadlinesTest {
  private static Optional<Duration> of(String... namesAndValues) {
    RequestHeadersBuilder headers = RequestHeaders.builder(HttpMethod.POST, "/");
    for (int i = 0; i < namesAndValues.length; i += 2) {
      headers.add(namesAndValues[i], namesAndValues[i + 1]);
    }
    return Deadlines.of(headers.build());
  }

  @Test
  void whoSaysNothingHasNone() {
    assertEquals(Optional.empty(), of());
    assertEquals(Optional.empty(), of("X-Timeout", "5"));
  }

  @Test
  void eachHeaderHasItsOwnUnits() {
    assertEquals(Optional.of(Duration.ofMillis(50)), of("X-Request-Timeout-Ms", "50"));
    assertEquals(Optional.of(Duration.ofMillis(50)), of("x-envoy-expected-rq-timeout-ms", "0050"));
    Map<String, Duration> units =
        Map.of(
            "2H", Duration.ofHours(2),
            "2M", Duration.ofMinutes(2),
            "2S", Duration.ofSeconds(2),
            "2m", Duration.ofMillis(2),
            "2u", Duration.ofNanos(2_000),
            "2n", Duration.ofNanos(2),
            "99999999H", Duration.ofHours(99_999_999),
            "99999999u", Duration.ofMillis(99_999).plusNanos(999_000));
    units.forEach((text, time) -> assertEquals(Optional.of(time), of("grpc-timeout", text)));
  }

  @Test
  void theSmallestWins() {
    assertEquals(
        Optional.of(Duration.ofMillis(30)),
        of(
            "X-Request-Timeout-Ms", "50",
            "grpc-timeout", "40m",
            "x-envoy-expected-rq-timeout-ms", "30"));
    assertEquals(
        Optional.of(Duration.ofMillis(20)),
        of("X-Request-Timeout-Ms", "20", "grpc-timeout", "40m"));
    assertEquals(
        Optional.of(Duration.ofMillis(4)),
        of("X-Request-Timeout-Ms", "20", "grpc-timeout", "4000u"));
    assertEquals(
        Optional.of(Duration.ofMillis(7)),
        of("X-Request-Timeout-Ms", "20", "X-Request-Timeout-Ms", "7"),
        "a header that came twice");
  }

  @Test
  void zeroAndLessIsTimeThatHasPassed() {
    assertEquals(Optional.of(Duration.ZERO), of("X-Request-Timeout-Ms", "0"));
    assertEquals(Optional.of(Duration.ofMillis(-5)), of("X-Request-Timeout-Ms", "-5"));
    assertEquals(Optional.of(Duration.ZERO), of("grpc-timeout", "0n"));
  }

  @Test
  void whatIsNoTimeIsRefusedWithTheHeaderAndItsForm() {
    for (String header : List.of("x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms")) {
      for (String value :
          List.of("", "soon", "1.5", "5ms", "+5", "-", "1e3", "1234567890123456", "٥", "5 5")) {
        assertRefused(header, value, "whole milliseconds");
      }
    }
    for (String value : List.of("", "5", "S", "5s", "5ms", "123456789S", "-5S", "1.5S", "5 S")) {
      assertRefused("grpc-timeout", value, "H, M, S, m, u, n");
    }
  }

  private static void assertRefused(String header, String value, String form) {
    Refusal refusal = assertThrows(Refusal.class, () -> of(header, value), value);
    assertEquals("invalid_header", refusal.problem().code());
    assertEquals(400, refusal.problem().status());
    String detail = refusal.problem().detail();
    assertTrue(detail.contains(header) && detail.contains("'" + value + "'"), detail);
    assertTrue(detail.contains(form), detail);
  }

  @Test
  void aBadHeaderIsNotOutvotedByAGoodOne() {
    assertThrows(Refusal.class, () -> of("X-Request-Timeout-Ms", "50", "grpc-timeout", "soon"));
  }

  @Test
  void aLongValueIsNotRepeatedWhole() {
    Refusal refusal =
        assertThrows(Refusal.class, () -> of("X-Request-Timeout-Ms", "x".repeat(5_000)));
    assertTrue(refusal.problem().detail().length() < 250, refusal.problem().detail());
  }
}
