package dev.twinrank.server.oip.grpc;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import com.google.protobuf.UnsafeByteOperations;
import com.linecorp.armeria.common.HttpData;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.io.IOException;
import java.io.InputStream;

/**
 * One message of a call: a byte that says whether it is compressed, four of length, and the rest.
 * Immutable as long as nobody writes into the bytes, and thread-safe.
 */
final class Message {
  private static final int PREFIX = 5;

  private final byte[] bytes;
  private final int from;
  private final int length;
  private final Coding coding;
  private final long limit;

  private Message(byte[] bytes, int from, int length, Coding coding, long limit) {
    this.bytes = bytes;
    this.from = from;
    this.length = length;
    this.coding = coding;
    this.limit = limit;
  }

  /** Returns how many bytes came. */
  int length() {
    return length;
  }

  /** Returns how they are compressed. */
  Coding coding() {
    return coding;
  }

  /**
   * Returns the one message of a body.
   *
   * @param coding what the request says of its messages
   * @param limit the most bytes a message may have, decompressed
   * @throws Refusal {@code invalid_http} if the body is not exactly one message
   */
  static Message of(HttpData body, Coding coding, long limit) {
    byte[] bytes = body.array();
    if (bytes.length < PREFIX) {
      throw malformed(
          "the body has %d bytes; a message begins with %d".formatted(bytes.length, PREFIX));
    }
    long length = prefixed(bytes);
    if (length != bytes.length - PREFIX) {
      throw malformed(
          "the body holds %d bytes after the prefix of a message of %d; send exactly one message"
              .formatted(bytes.length - PREFIX, length));
    }
    return of(bytes, coding, limit);
  }

  /** Returns the message of bytes that are known to be one. */
  static Message of(byte[] bytes, Coding coding, long limit) {
    Coding own =
        switch (bytes[0]) {
          case 0 -> Coding.IDENTITY;
          case 1 -> coding;
          default ->
              throw malformed(
                  "a message begins with %d; 0 and 1 are allowed".formatted(bytes[0] & 0xff));
        };
    if (bytes[0] == 1 && coding == Coding.IDENTITY) {
      throw malformed("a message is marked as compressed and no grpc-encoding says how");
    }
    return new Message(bytes, PREFIX, bytes.length - PREFIX, own, limit);
  }

  /** Returns the length of the message that begins with these bytes, at least five. */
  static long prefixed(byte[] bytes) {
    return ((bytes[1] & 0xffL) << 24)
        | (bytes[2] & 0xff) << 16
        | (bytes[3] & 0xff) << 8
        | (bytes[4] & 0xff);
  }

  /** Returns a message in its frame. */
  static HttpData frame(MessageLite message, Coding coding) {
    try {
      int size = message.getSerializedSize();
      if (coding == Coding.IDENTITY) {
        byte[] framed = new byte[PREFIX + size];
        CodedOutputStream out = CodedOutputStream.newInstance(framed, PREFIX, size);
        message.writeTo(out);
        out.checkNoSpaceLeft();
        return prefix(framed, 0);
      }
      byte[] content = coding.compress(message.toByteArray());
      byte[] framed = new byte[PREFIX + content.length];
      System.arraycopy(content, 0, framed, PREFIX, content.length);
      return prefix(framed, 1);
    } catch (IOException e) {
      throw new IllegalStateException("writing to memory failed", e);
    }
  }

  private static HttpData prefix(byte[] framed, int compressed) {
    int size = framed.length - PREFIX;
    framed[0] = (byte) compressed;
    framed[1] = (byte) (size >>> 24);
    framed[2] = (byte) (size >>> 16);
    framed[3] = (byte) (size >>> 8);
    framed[4] = (byte) size;
    return HttpData.wrap(framed);
  }

  /**
   * Returns a reader of the top-level fields. Of a compressed message it decompresses as far as it
   * is read, and no further than the limit.
   */
  CodedInputStream fields() throws IOException {
    return coding == Coding.IDENTITY
        ? CodedInputStream.newInstance(bytes, from, length)
        : CodedInputStream.newInstance(new Bounded(coding.open(bytes, from, length), limit));
  }

  /**
   * Reads it. Byte strings of a message that is not compressed are views of the body: nothing is
   * copied.
   *
   * @throws Refusal {@code invalid_http} for what is no such message, {@code body_too_large} for
   *     one that decompresses to more than the limit
   */
  <T extends MessageLite> T read(Parser<T> parser) {
    try {
      byte[] plain = bytes;
      int begin = from;
      int size = length;
      if (coding != Coding.IDENTITY) {
        try (InputStream in = new Bounded(coding.open(bytes, from, length), limit)) {
          plain = in.readAllBytes();
        }
        begin = 0;
        size = plain.length;
      }
      CodedInputStream in = UnsafeByteOperations.unsafeWrap(plain, begin, size).newCodedInput();
      in.enableAliasing(true);
      T message = parser.parseFrom(in);
      in.checkLastTagWas(0);
      return message;
    } catch (InvalidProtocolBufferException e) {
      throw malformed("the message is not of its method's type: " + e.getMessage());
    } catch (IOException e) {
      throw undone(e);
    }
  }

  /** Returns what reading this failed with as a refusal. */
  Refusal undone(IOException e) {
    if (e instanceof TooLong) {
      return new Refusal(
          Problem.of(
              ServiceCode.BODY_TOO_LARGE,
              "the message is longer than %d bytes when decompressed; send fewer candidates a request or raise"
                      .formatted(limit)
                  + " --max-body"));
    }
    return malformed("the message cannot be read (%s): %s".formatted(coding.label, e.getMessage()));
  }

  private static Refusal malformed(String detail) {
    return new Refusal(Problem.of(ServiceCode.INVALID_HTTP, detail));
  }

  private static final class TooLong extends IOException {
    private static final long serialVersionUID = 1;
  }

  /** A stream that fails once it has given more than it may. Not thread-safe. */
  private static final class Bounded extends InputStream {
    private final InputStream in;
    private long left;

    Bounded(InputStream in, long limit) {
      this.in = in;
      this.left = limit;
    }

    @Override
    public int read() throws IOException {
      int one = in.read();
      take(one < 0 ? 0 : 1);
      return one;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      int count = in.read(into, offset, length);
      take(Math.max(count, 0));
      return count;
    }

    private void take(int count) throws TooLong {
      left -= count;
      if (left < 0) {
        throw new TooLong();
      }
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
