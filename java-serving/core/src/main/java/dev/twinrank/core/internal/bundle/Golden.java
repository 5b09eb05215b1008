package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import java.nio.ByteBuffer;
import java.util.List;

/** A stored request and what it must give. */
final class Golden {
  /** The raw request. */
  final byte[] request;

  /** The code of a refusal, or null. */
  final ErrorCode error;

  /** The number of candidates. */
  final int candidates;

  /** The packed blocks in packing order; empty for a refusal and for no candidates. */
  final List<ByteBuffer> inputs;

  /** The values of each output: as rankings.jsonl holds them, and as the tensor files do. */
  final List<List<ByteBuffer>> outputs;

  /** The whole ranking. */
  final List<Integer> order;

  /** The candidates whose score is NaN. */
  final List<Integer> dropped;

  Golden(
      byte[] request,
      ErrorCode error,
      int candidates,
      List<ByteBuffer> inputs,
      List<List<ByteBuffer>> outputs,
      List<Integer> order,
      List<Integer> dropped) {
    this.request = request;
    this.error = error;
    this.candidates = candidates;
    this.inputs = inputs;
    this.outputs = outputs;
    this.order = order;
    this.dropped = dropped;
  }

  static Golden refused(byte[] request, ErrorCode error) {
    return new Golden(request, error, 0, List.of(), List.of(), List.of(), List.of());
  }

  static Golden empty(byte[] request) {
    return new Golden(request, null, 0, List.of(), List.of(), List.of(), List.of());
  }
}
