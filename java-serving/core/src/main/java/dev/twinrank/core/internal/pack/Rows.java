package dev.twinrank.core.internal.pack;

import dev.twinrank.core.DType;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Placement;
import dev.twinrank.core.ScoringException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;

/** The growing values of one block: zeros until written, little-endian, row-major. */
final class Rows {
  private static final int FIRST_CAPACITY = 16;

  /** The longest array that every JVM can make. */
  static final int LARGEST = Integer.MAX_VALUE - 8;

  private final Block block;
  private final long rowBytes;
  private byte[] bytes;
  private ByteBuffer data;
  private int rows;

  Rows(Block block) {
    this.block = block;
    this.rowBytes = (long) block.rowValues() * block.dtype().width();
    this.bytes = new byte[0];
    int capacity = block.placement() == Placement.CONTEXT ? 1 : FIRST_CAPACITY;
    resize(capacity * rowBytes);
  }

  void addRow() {
    rows++;
    long needed = rows * rowBytes;
    if (needed > LARGEST) {
      throw new ScoringException(
          ErrorCode.SCORING_FAILED,
          "block '"
              + block.name()
              + "' would take "
              + needed
              + " bytes with "
              + rows
              + " rows; at most "
              + LARGEST
              + " fit. Send fewer candidates in one request.",
          Optional.empty(),
          OptionalInt.empty(),
          null);
    }
    if (needed > bytes.length) {
      resize(2 * needed);
    }
  }

  /** Writes one value of a row, given as the bits of the block's type. */
  void put(int row, int value, long bits) {
    int at = (int) (row * rowBytes) + value * block.dtype().width();
    if (block.dtype() == DType.FLOAT32) {
      data.putInt(at, (int) bits);
    } else {
      data.putLong(at, bits);
    }
  }

  Block block() {
    return block;
  }

  ByteBuffer finish() {
    return data.slice(0, (int) (rows * rowBytes)).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void resize(long wanted) {
    int size = (int) Math.min(wanted, LARGEST);
    bytes = Arrays.copyOf(bytes, size);
    data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
