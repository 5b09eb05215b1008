package dev.twinrank.core;

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
  private final int candidates;
  private final List<Head> heads;
  private final Head score;
  private final ByteBuffer[] columns;

  /** Takes one little-endian column a head, the score last; the caller must not change them. */
  Scores(int candidates, List<Head> heads, Head score, ByteBuffer[] columns) {
    this.candidates = candidates;
    this.heads = heads;
    this.score = score;
    this.columns = columns;
  }

  /** Returns the number of candidates. */
  public int candidates() {
    return candidates;
  }

  /** Returns the heads, in the order of the model, without the score. */
  public List<Head> heads() {
    return heads;
  }

  /**
   * Returns a head's value for a candidate, widened exactly.
   *
   * @throws IndexOutOfBoundsException if there is no such head or candidate
   */
  public double value(int head, int candidate) {
    return read(Objects.checkIndex(head, heads.size()), heads.get(head).dtype(), candidate);
  }

  /**
   * Returns the IEEE bits of a head's value: the low 32 for float32, all 64 for float64.
   *
   * @throws IndexOutOfBoundsException if there is no such head or candidate
   */
  public long bits(int head, int candidate) {
    return readBits(Objects.checkIndex(head, heads.size()), heads.get(head).dtype(), candidate);
  }

  /**
   * Returns a candidate's score, widened exactly.
   *
   * @throws IndexOutOfBoundsException if there is no such candidate
   */
  public double score(int candidate) {
    return read(heads.size(), score.dtype(), candidate);
  }

  /**
   * Returns the IEEE bits of a candidate's score: the low 32 for float32, all 64 for float64.
   *
   * @throws IndexOutOfBoundsException if there is no such candidate
   */
  public long scoreBits(int candidate) {
    return readBits(heads.size(), score.dtype(), candidate);
  }

  /**
   * Returns a head's values of all candidates: a read-only little-endian view of its own.
   *
   * @throws IndexOutOfBoundsException if there is no such head
   */
  public ByteBuffer values(int head) {
    return view(Objects.checkIndex(head, heads.size()));
  }

  /** Returns the scores of all candidates: a read-only little-endian view of its own. */
  public ByteBuffer scores() {
    return view(heads.size());
  }

  private double read(int column, DType dtype, int candidate) {
    Objects.checkIndex(candidate, candidates);
    return dtype == DType.FLOAT32
        ? columns[column].getFloat(candidate * Float.BYTES)
        : columns[column].getDouble(candidate * Double.BYTES);
  }

  private long readBits(int column, DType dtype, int candidate) {
    Objects.checkIndex(candidate, candidates);
    return dtype == DType.FLOAT32
        ? Integer.toUnsignedLong(columns[column].getInt(candidate * Integer.BYTES))
        : columns[column].getLong(candidate * Long.BYTES);
  }

  private ByteBuffer view(int column) {
    return columns[column].asReadOnlyBuffer().rewind().order(ByteOrder.LITTLE_ENDIAN);
  }
}
