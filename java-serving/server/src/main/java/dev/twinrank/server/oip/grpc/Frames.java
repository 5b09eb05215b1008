package dev.twinrank.server.oip.grpc;

import com.linecorp.armeria.common.stream.HttpDecoder;
import com.linecorp.armeria.common.stream.StreamDecoderInput;
import com.linecorp.armeria.common.stream.StreamDecoderOutput;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import io.netty.buffer.ByteBuf;

/** Splits a stream into its messages. Of one stream, and not thread-safe. */
final class Frames implements HttpDecoder<Message> {
  private static final int PREFIX = 5;

  private final Coding coding;
  private final long limit;
  private byte[] prefix;

  /**
   * Makes a splitter.
   *
   * @param limit the most bytes that a message may have, decompressed
   */
  Frames(Coding coding, long limit) {
    this.coding = coding;
    this.limit = limit;
  }

  @Override
  public void process(StreamDecoderInput in, StreamDecoderOutput<Message> out) {
    while (in.readableBytes() >= needed()) {
      if (prefix == null) {
        prefix = read(in, PREFIX, 0);
        continue;
      }
      byte[] whole = read(in, (int) Message.prefixed(prefix), PREFIX);
      System.arraycopy(prefix, 0, whole, 0, PREFIX);
      prefix = null;
      out.add(Message.of(whole, coding, limit));
    }
  }

  private long needed() {
    if (prefix == null) {
      return PREFIX;
    }
    long length = Message.prefixed(prefix);
    if (length > limit) {
      throw new Refusal(
          Problem.of(
              ServiceCode.BODY_TOO_LARGE,
              "a message of %d bytes; at most %d are taken".formatted(length, limit)));
    }
    return length;
  }

  private static byte[] read(StreamDecoderInput in, int length, int offset) {
    byte[] bytes = new byte[offset + length];
    if (length > 0) {
      ByteBuf part = in.readBytes(length);
      try {
        part.readBytes(bytes, offset, length);
      } finally {
        part.release();
      }
    }
    return bytes;
  }
}
