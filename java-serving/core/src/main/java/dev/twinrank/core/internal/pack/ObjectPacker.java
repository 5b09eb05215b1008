package dev.twinrank.core.internal.pack;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Placement;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.pack.PackPlan.Group;
import dev.twinrank.core.internal.pack.PackPlan.Side;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * Packs the objects of one placement: the context, or the candidates, one after the other or column
 * by column. Not thread-safe.
 */
public final class ObjectPacker {
  private static final long PRESENT = 1;
  private static final long INVALID = 2;

  private final Side side;
  private final Side other;
  private final Values values;
  private final Counts counts;
  private final List<Rows> blocks;
  private final int slots;
  // By slot; where objects come in columns, by object and slot.
  private boolean[] given;
  private int[] lengths;
  private int objects;
  private int index;
  private int first;
  private int columns;

  private Slot current;
  private boolean inSequence;
  private boolean badElement;
  private long[] elements = new long[16];
  private int count;

  ObjectPacker(Side side, Side other, Values values, Counts counts) {
    this.side = side;
    this.other = other;
    this.values = values;
    this.counts = counts;
    this.blocks = side.blocks().stream().map(Rows::new).toList();
    this.slots = side.slots().size();
    this.given = new boolean[slots];
    this.lengths = new int[slots];
  }

  /** Starts the next object. */
  public void begin() {
    addObject();
    Arrays.fill(given, false);
    Arrays.fill(lengths, 0);
  }

  /** Returns the number of objects that were begun. */
  int objects() {
    return objects;
  }

  /**
   * Goes to a feature, of which all objects' values come next, each after {@link #nextOfColumn}.
   *
   * @throws ScoringException {@code unknown_feature}
   */
  public void beginColumn(String name) {
    find(name, OptionalInt.empty());
    columns++;
    index = -1;
  }

  /** Refuses the column, because it is no array; {@code given} says what it is. */
  public ScoringException noColumn(String given) {
    return Refusals.column(current.feature(), OptionalInt.empty(), "is " + given);
  }

  /** Returns whether the next value of the column starts an object: the first column counts. */
  boolean columnAdds() {
    return columns == 1;
  }

  /**
   * Goes to the next object of the column.
   *
   * @throws ScoringException {@code invalid_request} if the first column had no such
   */
  void nextOfColumn() {
    if (columnAdds()) {
      addObject();
      int needed = Math.multiplyExact(objects, slots);
      if (needed > given.length) {
        int size = (int) Math.min(2L * needed, Rows.LARGEST);
        given = Arrays.copyOf(given, size);
        lengths = Arrays.copyOf(lengths, size);
      }
    } else if (++index == objects) {
      throw oddColumn("goes on");
    }
    first = index * slots;
  }

  /**
   * Ends the column.
   *
   * @throws ScoringException {@code invalid_request} if the first one was longer
   */
  public void endColumn() {
    if (!columnAdds() && ++index < objects) {
      throw oddColumn("ends");
    }
  }

  /**
   * Ends all objects, after the last column.
   *
   * @throws ScoringException as {@link #end}; the first object's comes first
   */
  public void endColumns() {
    for (index = 0; index < objects; index++) {
      first = index * slots;
      end();
    }
  }

  private ScoringException oddColumn(String what) {
    return Refusals.column(
        current.feature(),
        OptionalInt.of(index),
        what + " at element " + index + ", but the first column has " + objects);
  }

  private void addObject() {
    index = objects++;
    blocks.forEach(Rows::addRow);
  }

  /**
   * Goes to a feature; the next call gives its value.
   *
   * @throws ScoringException {@code unknown_feature}
   */
  public void feature(String name) {
    find(name, candidate());
  }

  private void find(String name, OptionalInt candidate) {
    current = side.byName().get(name);
    if (current == null) {
      throw Refusals.unknown(side, other, name, candidate);
    }
  }

  /** Returns whether the feature already has a value in this object. */
  boolean isGiven() {
    return given[first + current.index()];
  }

  /** Returns whether the feature is a list or a vector. */
  public boolean isSequence() {
    return current.sequence();
  }

  /** Takes an integer that has a type. */
  void integer(long value) {
    ErrorCode error = values.integer(current.feature(), value);
    if (error == null) {
      accept();
    } else {
      invalid(error, "the integer " + value);
    }
  }

  /** Takes a float that has a type. */
  void decimal(double value) {
    ErrorCode error = values.decimal(current.feature(), value);
    if (error == null) {
      accept();
    } else {
      invalid(error, "the float " + value);
    }
  }

  /** Takes a number literal of RFC 8259. */
  public void literal(boolean integer, char[] chars, int offset, int length) {
    ErrorCode error = values.literal(current.feature(), integer, chars, offset, length);
    if (error == null) {
      accept();
    } else {
      invalid(error, "the number " + Quote.of(CharBuffer.wrap(chars, offset, length)));
    }
  }

  /** Takes a boolean. */
  public void bool(boolean value) {
    ErrorCode error = values.bool(current.feature(), value);
    if (error == null) {
      accept();
    } else {
      invalid(error, String.valueOf(value));
    }
  }

  /** Takes a string. */
  public void string(char[] chars, int offset, int length) {
    ErrorCode error = values.string(current.feature(), chars, offset, length);
    if (error == null) {
      accept();
    } else {
      invalid(error, "the string " + Quote.of(CharBuffer.wrap(chars, offset, length)));
    }
  }

  /** Takes a string that has a type. */
  void string(String value) {
    ErrorCode error = values.string(current.feature(), value);
    if (error == null) {
      accept();
    } else {
      invalid(error, "the string " + Quote.of(value));
    }
  }

  /** Takes something whose type fits no such feature; {@code given} says what it is. */
  public void wrongType(String given) {
    invalid(ErrorCode.WRONG_TYPE, given);
  }

  /** Begins the elements of a list or vector; only for a feature that is one. */
  public void beginElements() {
    inSequence = true;
    badElement = false;
    count = 0;
  }

  /** Ends the elements, and writes those of the end that is kept. */
  public void endElements() {
    inSequence = false;
    if (badElement) {
      absorbed();
      return;
    }
    if (current.exactLength() >= 0 && current.exactLength() != count) {
      invalid(ErrorCode.WRONG_LENGTH, "an array of " + count);
      return;
    }
    int kept = Math.min(count, current.maxLength());
    int from = current.keepsLast() ? count - kept : 0;
    Rows rows = blocks.get(current.block());
    // Elements lie side by side, or one a position of the group's axis.
    int stride = current.group() < 0 ? 1 : rows.block().width();
    for (int i = 0; i < kept; i++) {
      rows.put(index, current.offset() + i * stride, elements[from + i]);
    }
    if (current.length() >= 0) {
      blocks.get(side.counts()).put(index, current.length(), kept);
    }
    lengths[first + current.index()] = count;
    state(PRESENT);
  }

  /**
   * Ends the object: looks for absent features, then for groups of unequal lengths.
   *
   * @throws ScoringException {@code missing_feature} or {@code length_mismatch}
   */
  public void end() {
    for (Slot slot : side.slots()) {
      if (!given[first + slot.index()]) {
        if (slot.refusesMissing()) {
          throw Refusals.missing(slot.feature(), candidate());
        }
        counts.missing(slot, 1);
      }
    }
    for (Group group : side.groups()) {
      Slot leader = group.members().get(0);
      int expected = lengths[first + leader.index()];
      for (Slot member : group.members()) {
        int length = lengths[first + member.index()];
        if (length != expected) {
          throw Refusals.lengths(group, member, length, expected, candidate());
        }
      }
      int kept = Math.min(expected, leader.maxLength());
      blocks.get(side.counts()).put(index, group.length(), kept);
    }
  }

  /** Returns the blocks of all objects. */
  List<ByteBuffer> finish() {
    return blocks.stream().map(Rows::finish).toList();
  }

  private void accept() {
    if (!inSequence) {
      blocks.get(current.block()).put(index, current.offset(), values.bits());
      state(PRESENT);
    } else {
      if (count == elements.length) {
        elements = Arrays.copyOf(elements, 2 * count);
      }
      elements[count++] = values.bits();
    }
  }

  private void invalid(ErrorCode error, String what) {
    if (current.refusesInvalid()) {
      throw Refusals.invalid(error, current.feature(), candidate(), what);
    }
    if (inSequence) {
      badElement = true;
    } else {
      absorbed();
    }
  }

  private void absorbed() {
    counts.invalid(current, 1);
    state(INVALID);
  }

  private void state(long state) {
    given[first + current.index()] = true;
    if (current.state() >= 0) {
      blocks.get(side.counts()).put(index, current.state(), state);
    }
  }

  private OptionalInt candidate() {
    return side.placement() == Placement.CONTEXT ? OptionalInt.empty() : OptionalInt.of(index);
  }
}
