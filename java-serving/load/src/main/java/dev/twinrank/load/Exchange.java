package dev.twinrank.load;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/** A request under way and its answer. Confined to the event loop. */
final class Exchange {
  private static final byte[] NOTHING = {};

  final Shot shot;
  final int index;
  final Tally tally;

  /** When it was due. */
  final long intended;

  /** When it was given to a connection; 0 before. */
  long sent;

  int status;
  String grpcStatus = "";
  long received;
  boolean done;
  private final boolean keepsAll;
  private byte[] body = NOTHING;
  private int length;

  Exchange(Shot shot, int index, Tally tally, long intended, boolean keepsAll) {
    this.shot = shot;
    this.index = index;
    this.tally = tally;
    this.intended = intended;
    this.keepsAll = keepsAll;
  }

  /** Takes a piece of the answer's body. */
  void take(ByteBuf piece) {
    int more = piece.readableBytes();
    received += more;
    if (keepsAll || status >= 400) {
      if (body.length < length + more) {
        body = Arrays.copyOf(body, Math.max(length + more, 2 * length));
      }
      piece.getBytes(piece.readerIndex(), body, length, more);
      length += more;
    }
  }

  byte[] body() {
    return body;
  }

  int length() {
    return length;
  }

  /** Ends it, once; a later end is nobody's. */
  boolean finish() {
    boolean first = !done;
    done = true;
    return first;
  }

  void forget() {
    body = NOTHING;
  }
}
