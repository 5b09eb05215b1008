package dev.twinrank.probe;

import dev.twinrank.probe.ProtocolException.Code;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A response frame that is not written yet: its parts stay where they are until a buffer takes
 * them. Its views are read and not changed.
 */
final class Answer {
  private final byte[] header;
  private final List<ByteBuffer> body;
  private final int bodyBytes;

  /**
   * Makes an answer.
   *
   * @throws ProtocolException {@code response_too_large} if the header or the body is over the
   *     frame's limit
   */
  Answer(byte[] header, List<ByteBuffer> body) {
    this.header = header;
    this.body = List.copyOf(body);
    long size = 0;
    for (ByteBuffer part : body) {
      size += part.remaining();
    }
    refuseOver(header.length, size, Frame.MAX_PART_BYTES);
    this.bodyBytes = (int) size;
  }

  /** Refuses what no frame can hold, so that nothing more is computed for it. */
  static void refuseOver(long headerBytes, long bodyBytes, long limit) {
    if (headerBytes > limit || bodyBytes > limit) {
      throw new ProtocolException(
          Code.RESPONSE_TOO_LARGE,
          "the answer has a header of %d bytes and a body of %d or more; at most %d each are allowed. Send less at once"
              .formatted(headerBytes, bodyBytes, limit));
    }
  }

  /** Returns the frame's length in bytes. */
  int size() {
    return 2 * Frame.LENGTH_BYTES + header.length + bodyBytes;
  }

  /** Writes the frame at the buffer's start, which has room for {@link #size} bytes. */
  void writeTo(ByteBuffer memory) {
    ByteBuffer out = memory.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(header.length).put(header).putInt(bodyBytes);
    body.forEach(part -> out.put(part.duplicate()));
  }

  /** Returns the frame's bytes. */
  byte[] encode() {
    byte[] bytes = new byte[size()];
    writeTo(ByteBuffer.wrap(bytes));
    return bytes;
  }
}
