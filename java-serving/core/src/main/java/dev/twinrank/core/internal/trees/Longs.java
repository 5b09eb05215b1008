package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.proto.ProtoReader;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** A list of integers without boxes: a large forest has millions. Not thread-safe. */
final class Longs {
  private long[] values = new long[16];
  private int size;

  void add(long value) {
    if (size == values.length) {
      values = Arrays.copyOf(values, 2 * size);
    }
    values[size++] = value;
  }

  /** Adds what a field of varints holds: one, or packed ones. */
  void addAll(ProtoReader in) {
    if (in.wire() == ProtoReader.VARINT) {
      add(in.varint());
      return;
    }
    ByteBuffer packed = in.bytes();
    while (packed.hasRemaining()) {
      long value = 0;
      byte next;
      int shift = 0;
      do {
        if (!packed.hasRemaining() || shift > 63) {
          throw in.invalid("has packed varints that end within one");
        }
        next = packed.get();
        value |= (long) (next & 0x7F) << shift;
        shift += 7;
      } while (next < 0);
      add(value);
    }
  }

  long[] toArray() {
    return Arrays.copyOf(values, size);
  }
}
