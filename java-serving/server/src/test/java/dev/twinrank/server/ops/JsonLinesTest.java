package dev.twinrank.server.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import com.fasterxml.jackson.databind.JsonNode;
import dev.twinrank.server.Tiny;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.slf4j.event.KeyValuePair;

class JsonLinesTest {
  private static LoggingEvent event(String message, Throwable thrown) {
    LoggerContext context = new LoggerContext();
    LoggingEvent event =
        new LoggingEvent("fqcn", context.getLogger("dev.Some"), Level.WARN, message, thrown, null);
    event.setInstant(Instant.parse("2026-01-02T03:04:05.678901Z"));
    event.setMDCPropertyMap(Map.of("request_id", "r-1"));
    return event;
  }

  private static JsonNode line(LoggingEvent event) {
    byte[] bytes = new JsonLines().encode(event);
    String text = new String(bytes, StandardCharsets.US_ASCII);
    assertEquals(text.length() - 1, text.indexOf('\n'), text);
    return Tiny.json(bytes);
  }

  @Test
  void aLineHasTheTimeInUtcTheMessageTheRequestAndTypedMembers() {
    LoggingEvent event = event("request", null);
    event.setKeyValuePairs(
        List.of(
            new KeyValuePair("candidates", 20),
            new KeyValuePair("ms", 1.25),
            new KeyValuePair("model", "tiny")));

    JsonNode line = line(event);

    assertEquals("2026-01-02T03:04:05.678901Z", line.get("timestamp").textValue());
    assertEquals("WARN", line.get("level").textValue());
    assertEquals("dev.Some", line.get("logger").textValue());
    assertEquals("r-1", line.get("request_id").textValue());
    assertEquals(20, line.get("candidates").intValue());
    assertEquals(1.25, line.get("ms").doubleValue());
    assertEquals("tiny", line.get("model").textValue());
  }

  @Test
  void whatAClientSentCannotBeginALineOfItsOwn() {
    String hostile = "x\n{\"level\":\"ERROR\"}\r\u2028\ud800\u0000";

    assertEquals(hostile, line(event(hostile, null)).get("message").textValue());
  }

  @Test
  void aStackTraceIsOneMember() {
    String error =
        line(event("failed", new IllegalStateException("why\nso"))).get("error").textValue();

    assertTrue(error.startsWith("java.lang.IllegalStateException: why\nso"), error);
    assertTrue(error.contains("JsonLinesTest"), error);
  }
}
