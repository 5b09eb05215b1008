package dev.twinrank.core.internal.pack;

import dev.twinrank.core.Placement;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.pack.PackPlan.Group;
import dev.twinrank.core.internal.pack.PackPlan.Side;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.OptionalInt;

/**
 * One placement of a slate while it is written: the memory of the graph's own inputs, and which
 * values were given. Not thread-safe. Allocates only when a slate is larger than any before.
 */
final class Cells {
  private static final long PRESENT = 1;
  private static final long INVALID = 2;
  private static final byte[] ZEROS = new byte[1 << 13];

  private final Side side;
  private final Slot[] slots;
  private final Group[] groups;
  private final ByteBuffer[] blocks;
  private final Counts absorbed;
  private ByteBuffer counts;
  private int rows;
  private int words;
  // A bit a slot and row, the rows of a slot side by side in words of their own.
  private long[] given = {};
  // The number of elements a slot and row, before truncation; only where there are groups.
  private int[] lengths = {};

  Cells(Side side, Counts absorbed) {
    this.side = side;
    this.absorbed = absorbed;
    this.slots = side.slots().toArray(Slot[]::new);
    this.groups = side.groups().toArray(Group[]::new);
    this.blocks = new ByteBuffer[side.blocks().size()];
  }

  /**
   * Starts a slate in a workspace's memory, every byte of which becomes zero: it still holds what
   * the last one had.
   *
   * @param firstInput the index of this placement's first block among the graph's inputs
   */
  void begin(Workspace workspace, int firstInput, int newRows) {
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] = workspace.input(firstInput + i);
      zero(blocks[i], 0, blocks[i].limit());
    }
    counts = side.counts() < 0 ? null : blocks[side.counts()];
    rows = newRows;
    words = (newRows + Long.SIZE - 1) / Long.SIZE;
    given = cleared(given, slots.length * words);
    if (groups.length > 0) {
      lengths = cleared(lengths, slots.length * newRows);
    }
  }

  /** Forgets the memory, which is somebody else's from now on. */
  void end() {
    Arrays.fill(blocks, null);
    counts = null;
    rows = 0;
  }

  int rows() {
    return rows;
  }

  ByteBuffer values(Slot slot) {
    return blocks[slot.block()];
  }

  /**
   * Notes that a row has a value.
   *
   * @throws IllegalArgumentException if it has one already
   */
  void give(Slot slot, int row) {
    int word = slot.index() * words + (row >>> 6);
    long bit = 1L << row;
    if ((given[word] & bit) != 0) {
      throw twice(slot);
    }
    given[word] |= bit;
  }

  /**
   * Makes sure that a row has no value; null is none, but is none that may follow one.
   *
   * @throws IllegalArgumentException if it has one
   */
  void requireAbsent(Slot slot, int row) {
    if ((given[slot.index() * words + (row >>> 6)] & (1L << row)) != 0) {
      throw twice(slot);
    }
  }

  /**
   * Makes sure that no row has a value.
   *
   * @throws IllegalArgumentException if one has
   */
  void requireAbsent(Slot slot) {
    int first = slot.index() * words;
    for (int i = first; i < first + words; i++) {
      if (given[i] != 0) {
        throw twice(slot);
      }
    }
  }

  /** Notes that every row has a value that is present. */
  void giveAll(Slot slot) {
    int first = slot.index() * words;
    Arrays.fill(given, first, first + words, -1L);
    if (words > 0) {
      given[first + words - 1] = -1L >>> -rows;
    }
    if (slot.state() >= 0) {
      int at = slot.countAt(0, slot.state());
      for (int row = 0; row < rows; row++) {
        counts.putLong(at, PRESENT);
        at += slot.countsRowBytes();
      }
    }
  }

  /** Notes that some rows, which had none, have a value that is present. */
  void giveRows(Slot slot, int from, int to) {
    if (from == 0 && to == rows) {
      giveAll(slot);
      return;
    }
    for (int row = from; row < to; row++) {
      give(slot, row);
      present(slot, row);
    }
  }

  /** Writes one value, given as the bits of the block's type. */
  void put(Slot slot, int row, int element, long bits) {
    int at = slot.valueAt(row) + element * slot.elementBytes();
    if (slot.narrow()) {
      values(slot).putInt(at, (int) bits);
    } else {
      values(slot).putLong(at, bits);
    }
  }

  void present(Slot slot, int row) {
    state(slot, row, PRESENT);
  }

  /** Notes the elements of a list or vector: those that were given, and those that are kept. */
  void present(Slot slot, int row, int count, int kept) {
    if (slot.length() >= 0) {
      counts.putLong(slot.countAt(row, slot.length()), kept);
    }
    if (groups.length > 0) {
      lengths[slot.index() * rows + row] = count;
    }
    state(slot, row, PRESENT);
  }

  /** Notes an invalid value that the policy absorbs. */
  void invalid(Slot slot, int row) {
    absorbed.invalid(slot, 1);
    state(slot, row, INVALID);
  }

  private void state(Slot slot, int row, long state) {
    if (slot.state() >= 0) {
      counts.putLong(slot.countAt(row, slot.state()), state);
    }
  }

  /** Takes back the first elements of a row. */
  void erase(Slot slot, int row, int elements) {
    for (int i = 0; i < elements; i++) {
      put(slot, row, i, 0);
    }
  }

  OptionalInt candidate(int row) {
    return side.placement() == Placement.CONTEXT ? OptionalInt.empty() : OptionalInt.of(row);
  }

  /**
   * Looks for absent features, then for groups of unequal lengths, row by row, and writes the
   * lengths of groups.
   *
   * @throws ScoringException {@code missing_feature} or {@code length_mismatch}
   */
  void check() {
    int row = rows;
    Slot missing = null;
    for (Slot slot : slots) {
      if (!slot.refusesMissing()) {
        countAbsent(slot);
      } else {
        int first = firstAbsent(slot, row);
        if (first < row) {
          row = first;
          missing = slot;
        }
      }
    }
    for (int i = 0; groups.length > 0 && i < row; i++) {
      for (Group group : groups) {
        checkGroup(group, i);
      }
    }
    if (missing != null) {
      throw Refusals.missing(missing.feature(), candidate(row));
    }
  }

  /** Returns the first row below an end that has no value, or the end. */
  private int firstAbsent(Slot slot, int end) {
    int first = slot.index() * words;
    for (int i = 0; i < words; i++) {
      if (given[first + i] != -1L) {
        int row = i * Long.SIZE + Long.numberOfTrailingZeros(~given[first + i]);
        return Math.min(row, end);
      }
    }
    return end;
  }

  private void countAbsent(Slot slot) {
    int first = slot.index() * words;
    int absent = rows;
    for (int i = first; i < first + words; i++) {
      absent -= Long.bitCount(given[i]);
    }
    if (absent > 0) {
      absorbed.missing(slot, absent);
    }
  }

  private void checkGroup(Group group, int row) {
    Slot first = group.members().get(0);
    int expected = lengths[first.index() * rows + row];
    for (int i = 1; i < group.members().size(); i++) {
      Slot member = group.members().get(i);
      int length = lengths[member.index() * rows + row];
      if (length != expected) {
        throw Refusals.lengths(group, member, length, expected, candidate(row));
      }
    }
    counts.putLong(first.countAt(row, group.length()), Math.min(expected, first.maxLength()));
  }

  private static IllegalArgumentException twice(Slot slot) {
    return new IllegalArgumentException(
        "feature '"
            + slot.feature().name()
            + "' was given a value before; set it once, reset(n) starts the next request");
  }

  private static void zero(ByteBuffer memory, int from, int to) {
    for (int at = from; at < to; at += ZEROS.length) {
      memory.put(at, ZEROS, 0, Math.min(ZEROS.length, to - at));
    }
  }

  private static long[] cleared(long[] old, int size) {
    if (old.length < size) {
      return new long[size];
    }
    Arrays.fill(old, 0, size, 0);
    return old;
  }

  private static int[] cleared(int[] old, int size) {
    if (old.length < size) {
      return new int[size];
    }
    Arrays.fill(old, 0, size, 0);
    return old;
  }
}
