package dev.twinrank.server.ops;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.encoder.EncoderBase;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.server.problem.Json;
import java.io.IOException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.slf4j.event.KeyValuePair;

/**
 * Writes each event as one JSON object on one line of ASCII: {@code timestamp}, {@code level},
 * {@code logger}, {@code thread}, {@code message}, then what the thread works on ({@code
 * request_id}, {@code trace_id}, {@code span_id}), then the event's own members, then {@code
 * error}, a stack trace. Thread-safe.
 */
public final class JsonLines extends EncoderBase<ILoggingEvent> {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSSX").withZone(ZoneOffset.UTC);
  private static final byte[] NOTHING = {};

  @Override
  public byte[] headerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] footerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] encode(ILoggingEvent event) {
    byte[] line = Json.object(json -> members(json, event));
    byte[] ended = Arrays.copyOf(line, line.length + 1);
    ended[line.length] = '\n';
    return ended;
  }

  private static void members(JsonGenerator json, ILoggingEvent event) throws IOException {
    Instant instant = event.getInstant();
    json.writeStringField(
        "timestamp",
        TIME.format(instant == null ? Instant.ofEpochMilli(event.getTimeStamp()) : instant));
    json.writeStringField("level", event.getLevel().toString());
    json.writeStringField("logger", event.getLoggerName());
    json.writeStringField("thread", event.getThreadName());
    json.writeStringField("message", event.getFormattedMessage());
    for (Map.Entry<String, String> each : event.getMDCPropertyMap().entrySet()) {
      json.writeStringField(each.getKey(), each.getValue());
    }
    List<KeyValuePair> own = event.getKeyValuePairs();
    for (KeyValuePair each : own == null ? List.<KeyValuePair>of() : own) {
      if (each.value instanceof Long || each.value instanceof Integer) {
        json.writeNumberField(each.key, ((Number) each.value).longValue());
      } else if (each.value instanceof Double number) {
        Json.writeNumber(json, each.key, number);
      } else {
        json.writeStringField(each.key, String.valueOf(each.value));
      }
    }
    if (event.getThrowableProxy() != null) {
      json.writeStringField("error", ThrowableProxyUtil.asString(event.getThrowableProxy()));
    }
  }
}
