package dev.twinrank.core.internal.trees;

import java.nio.ByteBuffer;

/**
 * Copies a register into a column of an output. Immutable and thread-safe.
 *
 * @param type what the output holds
 * @param output the output
 * @param place the column's place in the output's row
 * @param stride how many columns the output has
 * @param register where from
 */
record Store(Type type, int output, int place, int stride, int register) {

  void run(Registers registers, int from, int rows, ByteBuffer[] outputs) {
    ByteBuffer out = outputs[output];
    int step = stride * type.width();
    int at = from * step + place * type.width();
    if (type == Type.F64) {
      double[] values = registers.floats(register);
      for (int i = 0; i < rows; i++) {
        out.putDouble(at, values[i]);
        at += step;
      }
    } else if (type == Type.F32) {
      double[] values = registers.floats(register);
      for (int i = 0; i < rows; i++) {
        out.putFloat(at, (float) values[i]);
        at += step;
      }
    } else {
      long[] values = registers.longs(register);
      for (int i = 0; i < rows; i++) {
        out.putLong(at, values[i]);
        at += step;
      }
    }
  }
}
