package dev.twinrank.load;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;

/**
 * A request as it goes over the wire, made once and sent many times. Thread-compatible: its buffers
 * are only ever duplicated.
 *
 * @param label what it is counted under beside everything else; empty for nothing
 * @param http1 the whole message of HTTP/1.1
 * @param http2 the header fields of HTTP/2
 * @param body the body of HTTP/2
 */
record Shot(String label, ByteBuf http1, Http2Headers http2, ByteBuf body) {
  /** Makes a request to an authority. */
  static Shot of(
      String label,
      String method,
      String authority,
      String path,
      Map<String, String> fields,
      byte[] body) {
    StringBuilder head = new StringBuilder(256);
    head.append(method).append(' ').append(path).append(" HTTP/1.1\r\n");
    head.append("host: ").append(authority).append("\r\n");
    Http2Headers http2 =
        new DefaultHttp2Headers().method(method).scheme("http").authority(authority).path(path);
    fields.forEach(
        (name, value) -> {
          String lower = name.toLowerCase(Locale.ROOT);
          head.append(lower).append(": ").append(value).append("\r\n");
          http2.add(lower, value);
        });
    if (body.length > 0 || method.equals("POST")) {
      head.append("content-length: ").append(body.length).append("\r\n");
      http2.add("content-length", Integer.toString(body.length));
    }
    byte[] start = head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
    ByteBuf message = Unpooled.directBuffer(start.length + body.length);
    message.writeBytes(start).writeBytes(body);
    return new Shot(
        label, message, http2, Unpooled.directBuffer(Math.max(1, body.length)).writeBytes(body));
  }
}
