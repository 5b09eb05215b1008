package dev.twinrank.core.internal.pack;

import dev.twinrank.core.DType;
import dev.twinrank.core.Feature;
import dev.twinrank.core.ListSpec;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import dev.twinrank.core.VectorSpec;
import java.util.List;

/** Where the values of one feature go, worked out once. Immutable and thread-safe. */
public final class Slot {
  private static final int NONE = -1;

  private final Feature feature;
  private final int index;
  private final int block;
  private final int offset;
  private final int length;
  private final int state;
  private final int group;
  private final int exactLength;
  private final int maxLength;
  private final boolean sequence;
  private final boolean keepsLast;
  private final boolean refusesInvalid;
  private final boolean refusesMissing;
  private final boolean narrow;
  private final int rowBytes;
  private final int valueAt;
  private final int elementBytes;
  private final int countsRowBytes;

  /**
   * Places a feature. Offsets are columns; −1 means that there is none.
   *
   * @param index its place among the features of its placement
   * @param block the block of its values, as an index into the blocks of its placement
   * @param offset its first column there
   * @param length the column of its own length, in the placement's i64 block
   * @param state the column of its state, in the placement's i64 block
   * @param group its group, as an index into the groups of its placement, or −1
   * @param blocks the blocks of its placement
   * @param counts the placement's i64 block, or −1
   */
  Slot(
      Feature feature,
      int index,
      int block,
      int offset,
      int length,
      int state,
      int group,
      List<Block> blocks,
      int counts) {
    this.feature = feature;
    this.index = index;
    this.block = block;
    this.offset = offset;
    this.length = length;
    this.state = state;
    this.group = group;
    this.exactLength = feature.vector().map(VectorSpec::length).orElse(NONE);
    this.maxLength = feature.list().map(ListSpec::maxLength).orElse(Math.max(1, exactLength));
    this.sequence = feature.list().isPresent() || feature.vector().isPresent();
    this.keepsLast = feature.list().map(list -> list.keep() == ListSpec.Keep.LAST).orElse(false);
    this.refusesInvalid = feature.invalid() == Policy.ERROR;
    this.refusesMissing = feature.missing() == Policy.ERROR;
    Block values = blocks.get(block);
    int width = values.dtype().width();
    this.narrow = values.dtype() == DType.FLOAT32;
    this.rowBytes = Math.multiplyExact(values.rowValues(), width);
    this.valueAt = offset * width;
    // Elements lie side by side, or one a position of the group's axis.
    this.elementBytes = group < 0 ? width : values.width() * width;
    this.countsRowBytes =
        counts < 0 ? 0 : Math.multiplyExact(blocks.get(counts).rowValues(), DType.INT64.width());
  }

  /** Returns the feature. */
  public Feature feature() {
    return feature;
  }

  /** Returns its place among the features of its placement. */
  public int index() {
    return index;
  }

  /** Returns the block of its values, as an index into the blocks of its placement. */
  public int block() {
    return block;
  }

  int offset() {
    return offset;
  }

  /** Returns the column of its own length in the placement's i64 block, or −1. */
  public int length() {
    return length;
  }

  /** Returns the column of its state in the placement's i64 block, or −1. */
  public int state() {
    return state;
  }

  /** Returns its group, as an index into the groups of its placement, or −1. */
  public int group() {
    return group;
  }

  /** Returns whether there is one a candidate. */
  boolean perCandidate() {
    return feature.placement() == Placement.CANDIDATE;
  }

  /** Returns whether its value is an array: a list or a vector. */
  public boolean sequence() {
    return sequence;
  }

  /** Returns the one length that a vector has, or −1. */
  public int exactLength() {
    return exactLength;
  }

  /** Returns how many elements are kept. */
  public int maxLength() {
    return maxLength;
  }

  /** Returns whether the last elements are kept, not the first. */
  public boolean keepsLast() {
    return keepsLast;
  }

  /** Returns whether an invalid value refuses the request. */
  boolean refusesInvalid() {
    return refusesInvalid;
  }

  /** Returns whether its absence refuses the request. */
  public boolean refusesMissing() {
    return refusesMissing;
  }

  /** Returns whether its values take four bytes. */
  public boolean narrow() {
    return narrow;
  }

  /** Returns the distance of two rows of its block, in bytes. */
  int rowBytes() {
    return rowBytes;
  }

  /** Returns where its first value of a row lies in its block, in bytes. */
  public int valueAt(int row) {
    return row * rowBytes + valueAt;
  }

  /** Returns the distance of two elements of one row, in bytes. */
  public int elementBytes() {
    return elementBytes;
  }

  /** Returns the distance of two rows of the placement's i64 block, in bytes. */
  int countsRowBytes() {
    return countsRowBytes;
  }

  /** Returns where a column of a row lies in the placement's i64 block, in bytes. */
  public int countAt(int row, int column) {
    return row * countsRowBytes + column * DType.INT64.width();
  }
}
