package dev.twinrank.core;

import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.rank.Order;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;

/**
 * Every head and the score of every candidate, in input order. Immutable and thread-safe.
 *
 * <p>Values are the exact widening of what the graph gave; {@link #bits} are its own bits.
 *
 * @since 0.1
 */
public final class Scores {
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final Layout layout;
  private final int candidates;
  // One column a head, the score last, each of all candidates, little-endian.
  private final byte[] columns;

  private Scores(Layout layout, int candidates, byte[] columns) {
    this.layout = layout;
    this.candidates = candidates;
    this.columns = columns;
  }

  /** What the results of one model have in common. Immutable and thread-safe. */
  static final class Layout {
    private static final byte[] NOTHING = {};

    private final List<Head> heads;
    private final Head score;
    // The bytes a candidate of the columns before each, and of all at the end.
    private final int[] before;

    Layout(List<Head> heads, Head score) {
      this.heads = heads;
      this.score = score;
      this.before = new int[heads.size() + 2];
      for (int i = 0; i <= heads.size(); i++) {
        before[i + 1] = before[i] + head(i).dtype().width();
      }
    }

    /** Returns how many columns there are: the heads and the score. */
    int columns() {
      return before.length - 1;
    }

    private Head head(int column) {
      return column == heads.size() ? score : heads.get(column);
    }

    private boolean narrow(int column) {
      return before[column + 1] - before[column] == Float.BYTES;
    }

    /** Returns the result of a slate of no candidates. */
    Scores none() {
      return new Scores(this, 0, NOTHING);
    }

    /** Copies the first outputs of a run, which are the columns. */
    Scores copy(Workspace workspace) {
      int candidates = workspace.candidates();
      byte[] all = new byte[Math.multiplyExact(before[columns()], candidates)];
      for (int i = 0; i < columns(); i++) {
        int from = before[i] * candidates;
        workspace.output(i).get(0, all, from, before[i + 1] * candidates - from);
      }
      return new Scores(this, candidates, all);
    }
  }

  /** Returns the number of candidates. */
  public int candidates() {
    return candidates;
  }

  /** Returns the heads, in the order of the model, without the score. */
  public List<Head> heads() {
    return layout.heads;
  }

  /**
   * Returns a head's value for a candidate, widened exactly.
   *
   * @throws IndexOutOfBoundsException if there is no such head or candidate
   */
  public double value(int head, int candidate) {
    return read(Objects.checkIndex(head, layout.heads.size()), candidate);
  }

  /**
   * Returns the IEEE bits of a head's value: the low 32 for float32, all 64 for float64.
   *
   * @throws IndexOutOfBoundsException if there is no such head or candidate
   */
  public long bits(int head, int candidate) {
    return readBits(Objects.checkIndex(head, layout.heads.size()), candidate);
  }

  /**
   * Returns a candidate's score, widened exactly.
   *
   * @throws IndexOutOfBoundsException if there is no such candidate
   */
  public double score(int candidate) {
    return read(layout.heads.size(), candidate);
  }

  /**
   * Returns the IEEE bits of a candidate's score: the low 32 for float32, all 64 for float64.
   *
   * @throws IndexOutOfBoundsException if there is no such candidate
   */
  public long scoreBits(int candidate) {
    return readBits(layout.heads.size(), candidate);
  }

  /**
   * Returns a head's values of all candidates: a read-only little-endian view of its own.
   *
   * @throws IndexOutOfBoundsException if there is no such head
   */
  public ByteBuffer values(int head) {
    return view(Objects.checkIndex(head, layout.heads.size()));
  }

  /** Returns the scores of all candidates: a read-only little-endian view of its own. */
  public ByteBuffer scores() {
    return view(layout.heads.size());
  }

  /** Returns the best candidates in order. */
  Order order(int limit) {
    int column = layout.heads.size();
    return Order.of(
        columns, layout.before[column] * candidates, candidates, layout.score.dtype(), limit);
  }

  private double read(int column, int candidate) {
    long bits = readBits(column, candidate);
    return layout.narrow(column) ? Float.intBitsToFloat((int) bits) : Double.longBitsToDouble(bits);
  }

  private long readBits(int column, int candidate) {
    Objects.checkIndex(candidate, candidates);
    int from = layout.before[column] * candidates;
    return layout.narrow(column)
        ? Integer.toUnsignedLong((int) INTS.get(columns, from + candidate * Integer.BYTES))
        : (long) LONGS.get(columns, from + candidate * Long.BYTES);
  }

  private ByteBuffer view(int column) {
    int from = layout.before[column] * candidates;
    int bytes = layout.before[column + 1] * candidates - from;
    return ByteBuffer.wrap(columns, from, bytes)
        .slice()
        .asReadOnlyBuffer()
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
