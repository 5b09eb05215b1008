package dev.twinrank.core.internal.trees;

import java.nio.ByteBuffer;

/**
 * Copies one column of a block into a register of floats or of integers, with the values that a
 * state column replaces. Immutable and thread-safe.
 *
 * @param kind what the block holds, and what the register
 * @param block the block
 * @param place the column's place in the block's row
 * @param stride how many columns the block has
 * @param register where to
 * @param guards what is replaced, the last word last
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, never changed
record Load(Kind kind, int block, int place, int stride, int register, Guard[] guards) {

  /** What is copied to what. */
  enum Kind {
    F64,
    F32,
    I64,
    /** An integer as its nearest double. */
    I64_TO_F64
  }

  /**
   * A value in place of those whose state is, or is not, a number.
   *
   * @param block the block of the states
   * @param place their place in its row
   * @param stride how many columns it has
   * @param state the number
   * @param equal whether those are replaced whose state it is, or all others
   * @param value what stands in their place
   */
  record Guard(int block, int place, int stride, long state, boolean equal, double value) {

    private void run(ByteBuffer states, int from, int rows, double[] out) {
      int at = (from * stride + place) * Long.BYTES;
      int step = stride * Long.BYTES;
      for (int i = 0; i < rows; i++) {
        if ((states.getLong(at) == state) == equal) {
          out[i] = value;
        }
        at += step;
      }
    }
  }

  /** Copies rows of a chunk. */
  void run(ByteBuffer[] blocks, int from, int rows, Registers registers) {
    ByteBuffer values = blocks[block];
    int first = from * stride + place;
    switch (kind) {
      case F64 -> doubles(values, first, rows, registers.floats(register));
      case F32 -> floats(values, first, rows, registers.floats(register));
      case I64 -> longs(values, first, rows, registers.longs(register));
      case I64_TO_F64 -> integers(values, first, rows, registers.floats(register));
    }
    for (Guard guard : guards) {
      guard.run(blocks[guard.block()], from, rows, registers.floats(register));
    }
  }

  private void doubles(ByteBuffer values, int first, int rows, double[] out) {
    int at = first * Double.BYTES;
    int step = stride * Double.BYTES;
    for (int i = 0; i < rows; i++) {
      out[i] = values.getDouble(at);
      at += step;
    }
  }

  private void floats(ByteBuffer values, int first, int rows, double[] out) {
    int at = first * Float.BYTES;
    int step = stride * Float.BYTES;
    for (int i = 0; i < rows; i++) {
      out[i] = values.getFloat(at);
      at += step;
    }
  }

  private void longs(ByteBuffer values, int first, int rows, long[] out) {
    int at = first * Long.BYTES;
    int step = stride * Long.BYTES;
    for (int i = 0; i < rows; i++) {
      out[i] = values.getLong(at);
      at += step;
    }
  }

  private void integers(ByteBuffer values, int first, int rows, double[] out) {
    int at = first * Long.BYTES;
    int step = stride * Long.BYTES;
    for (int i = 0; i < rows; i++) {
      out[i] = values.getLong(at);
      at += step;
    }
  }
}
