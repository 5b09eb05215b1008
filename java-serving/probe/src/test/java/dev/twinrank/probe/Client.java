package dev.twinrank.probe;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.UnaryOperator;

/** Speaks the protocol as a parity run does, over anything that takes a frame and gives one. */
record Client(UnaryOperator<byte[]> transport) {

  /** A decoded response. */
  record Reply(JsonNode header, ByteBuffer body) {
    boolean ok() {
      return header.get("ok").booleanValue();
    }

    String code() {
      return header.get("family").textValue() + ":" + header.get("code").textValue();
    }
  }

  Reply ask(String header) {
    return ask(header, new byte[0]);
  }

  Reply ask(String header, byte[] body) {
    return reply(
        transport.apply(new Frame(header.getBytes(StandardCharsets.UTF_8), body).encode()));
  }

  Reply load() {
    return ask(
        "{\"op\": \"load\", \"bundle\": \"%s\", \"require\": \"reference\"}"
            .formatted(Tiny.BUNDLE));
  }

  static Reply reply(byte[] bytes) {
    Frame frame = Frame.decode(bytes);
    return new Reply(
        Tiny.json(frame.header()), ByteBuffer.wrap(frame.body()).order(ByteOrder.LITTLE_ENDIAN));
  }
}
