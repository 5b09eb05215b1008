package dev.twinrank.probe;

import dev.twinrank.probe.ProtocolException.Code;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * One message of the protocol: u32 little-endian length of the header, the header, u32
 * little-endian length of the body, the body.
 *
 * <p>Not thread-safe as the body is not copied: whoever hands it over stops writing to it while the
 * frame is read.
 */
final class Frame {
  /** The largest header, and the largest body, in bytes. */
  static final int MAX_PART_BYTES = 64 << 20;

  static final int LENGTH_BYTES = Integer.BYTES;
  private static final byte[] EMPTY = {};

  private final byte[] header;
  private final ByteBuffer body;

  Frame(byte[] header, byte[] body) {
    this(header, ByteBuffer.wrap(body));
  }

  private Frame(byte[] header, ByteBuffer body) {
    this.header = header;
    this.body = body.slice().order(ByteOrder.LITTLE_ENDIAN);
  }

  static Frame ofHeader(byte[] header) {
    return new Frame(header, EMPTY);
  }

  byte[] header() {
    return header;
  }

  /** Returns a copy of the body. */
  byte[] body() {
    byte[] bytes = new byte[body.capacity()];
    body.get(0, bytes);
    return bytes;
  }

  /** Returns the body where it lies: a little-endian view of its own. */
  ByteBuffer bodyInPlace() {
    return body.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Reads the frame that fills {@code bytes} exactly.
   *
   * @throws ProtocolException if a length is over the limit, or the bytes are fewer or more than
   *     the lengths say
   */
  static Frame decode(byte[] bytes) {
    return decode(ByteBuffer.wrap(bytes));
  }

  /** Reads the frame that fills what is left of a buffer exactly; the body stays in it. */
  static Frame decode(ByteBuffer bytes) {
    ByteBuffer in = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer headerInPlace = part(in, "header");
    byte[] header = new byte[headerInPlace.remaining()];
    headerInPlace.get(header);
    ByteBuffer body = part(in, "body");
    if (in.hasRemaining()) {
      throw new ProtocolException(
          Code.INVALID_FRAME,
          "%d bytes follow the end of the frame at byte %d; send one frame a call"
              .formatted(in.remaining(), in.position()));
    }
    return new Frame(header, body);
  }

  private static ByteBuffer part(ByteBuffer in, String name) {
    if (in.remaining() < LENGTH_BYTES) {
      throw truncated(name, in.position());
    }
    int length = length(in.getInt(), name);
    if (in.remaining() < length) {
      throw truncated(name, in.position());
    }
    ByteBuffer part = in.slice(in.position(), length);
    in.position(in.position() + length);
    return part;
  }

  /**
   * Reads the bytes of the next frame from a stream, never more than its lengths say.
   *
   * @return the frame's bytes as {@link #decode} takes them; empty at the end of the stream
   * @throws ProtocolException if a length is over the limit or the stream ends inside the frame;
   *     what follows in the stream then has no meaning
   * @throws IOException if the stream fails
   */
  static Optional<byte[]> readFrom(InputStream in) throws IOException {
    int first = in.read();
    if (first < 0) {
      return Optional.empty();
    }
    try {
      byte[] rest = exactly(in, LENGTH_BYTES - 1);
      int headerLength =
          length(
              first | (rest[0] & 0xff) << 8 | (rest[1] & 0xff) << 16 | (rest[2] & 0xff) << 24,
              "header");
      byte[] header = exactly(in, headerLength);
      byte[] bodyLengthBytes = exactly(in, LENGTH_BYTES);
      int bodyLength =
          length(ByteBuffer.wrap(bodyLengthBytes).order(ByteOrder.LITTLE_ENDIAN).getInt(), "body");
      return Optional.of(new Frame(header, exactly(in, bodyLength)).encode());
    } catch (EOFException e) {
      throw new ProtocolException(Code.INVALID_FRAME, "the input ended inside a frame", e);
    }
  }

  /** The frame's bytes. */
  byte[] encode() {
    return new Answer(header, List.of(bodyInPlace())).encode();
  }

  // A claimed length is checked before anything is allocated for it, and readNBytes grows with what
  // really arrives.
  private static byte[] exactly(InputStream in, int length) throws IOException {
    byte[] bytes = in.readNBytes(length);
    if (bytes.length < length) {
      throw new EOFException();
    }
    return bytes;
  }

  private static int length(int u32, String part) {
    long length = Integer.toUnsignedLong(u32);
    if (length > MAX_PART_BYTES) {
      throw new ProtocolException(
          Code.INVALID_FRAME,
          "the %s claims %d bytes; at most %d are allowed".formatted(part, length, MAX_PART_BYTES));
    }
    return (int) length;
  }

  private static ProtocolException truncated(String part, int position) {
    return new ProtocolException(
        Code.INVALID_FRAME, "the frame ends at byte %d, inside its %s".formatted(position, part));
  }
}
