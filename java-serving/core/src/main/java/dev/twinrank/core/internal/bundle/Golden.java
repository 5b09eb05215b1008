package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import java.nio.ByteBuffer;
import java.util.List;

/** A stored request and what it must give. */
final class Golden {
  private static final Expectation NOTHING = new Expectation(List.of(), List.of(), List.of());

  /** The raw request. */
  final byte[] request;

  /** The code of a refusal, or null. */
  final ErrorCode error;

  /** The number of candidates. */
  final int candidates;

  /** The packed blocks in packing order; empty for a refusal and for no candidates. */
  final List<ByteBuffer> inputs;

  /** What it gives: each output as rankings.jsonl holds it, and as the tensor files do. */
  final Expectation expected;

  Golden(
      byte[] request,
      ErrorCode error,
      int candidates,
      List<ByteBuffer> inputs,
      Expectation expected) {
    this.request = request;
    this.error = error;
    this.candidates = candidates;
    this.inputs = inputs;
    this.expected = expected;
  }

  static Golden refused(byte[] request, ErrorCode error) {
    return new Golden(request, error, 0, List.of(), NOTHING);
  }

  static Golden empty(byte[] request) {
    return new Golden(request, null, 0, List.of(), NOTHING);
  }
}
