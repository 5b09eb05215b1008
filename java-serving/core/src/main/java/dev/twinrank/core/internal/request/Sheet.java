package dev.twinrank.core.internal.request;

import dev.twinrank.core.internal.json.JsonBytes;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;

/**
 * The rows of one placement while they are written. Not thread-safe; made once, used for many
 * requests, between which all of its memory is zero.
 */
final class Sheet {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long PRESENT = 1;
  // Larger slates are for the other reader, which says what is too much.
  private static final int LARGEST_BLOCK = 1 << 28;

  private final Lane[] lanes;
  private final List<PackPlan.Group> groups;
  private final int counts;
  private final int[] rowBytes;
  private final byte[][] blocks;
  private int capacity;
  private int rows;
  // By lane: the number of values; the number of elements in each row, of members of groups.
  private final int[] given;
  private final int[][] lengths;
  // By lane: the object or columns that had it last, so that none has it twice.
  private final long[] seenIn;
  private long object;
  // By lane: which one came after it last time; objects of one request look alike.
  private final int[] follower;
  private int last;
  private long[] elements = new long[16];

  Sheet(PackPlan.Side side) {
    lanes = side.slots().stream().map(Lane::new).toArray(Lane[]::new);
    groups = side.groups();
    counts = side.counts();
    rowBytes =
        side.blocks().stream()
            .mapToInt(block -> Math.multiplyExact(block.rowValues(), block.dtype().width()))
            .toArray();
    blocks = new byte[rowBytes.length][0];
    given = new int[lanes.length];
    lengths = new int[lanes.length][0];
    seenIn = new long[lanes.length];
    follower = new int[lanes.length + 1];
    for (int i = 0; i <= lanes.length; i++) {
      follower[i] = i % Math.max(1, lanes.length);
    }
  }

  int rows() {
    return rows;
  }

  /** Returns how many bytes it holds on to. */
  long held() {
    return (long) capacity * Arrays.stream(rowBytes).sum() + (long) Long.BYTES * elements.length;
  }

  /** Starts an object, or columns: no name may come twice from here on. */
  void beginNames() {
    object++;
    last = lanes.length;
  }

  /** Adds a row; returns false if there are too many. */
  boolean addRow() {
    if (rows == capacity && !grow(Math.max(1, 2 * capacity))) {
      return false;
    }
    rows++;
    return true;
  }

  private boolean grow(int wanted) {
    for (int bytes : rowBytes) {
      if ((long) wanted * bytes > LARGEST_BLOCK) {
        return false;
      }
    }
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] = Arrays.copyOf(blocks[i], wanted * rowBytes[i]);
    }
    for (Lane lane : lanes) {
      if (lane.group >= 0) {
        lengths[lane.index] = Arrays.copyOf(lengths[lane.index], wanted);
      }
    }
    capacity = wanted;
    return true;
  }

  /** Takes the name of a feature that the object has not had; returns null if there is none. */
  Lane takeName(JsonBytes json) {
    if (lanes.length == 0) {
      return null;
    }
    Lane lane = lanes[follower[last]];
    if (!json.takeName(lane.name)) {
      lane = search(json);
      if (lane == null) {
        return null;
      }
      follower[last] = lane.index;
    }
    if (seenIn[lane.index] == object) {
      return null;
    }
    seenIn[lane.index] = object;
    last = lane.index;
    return lane;
  }

  private Lane search(JsonBytes json) {
    for (Lane lane : lanes) {
      if (json.takeName(lane.name)) {
        return lane;
      }
    }
    return null;
  }

  /** Takes a feature's value for a row; null is none. */
  boolean takeValue(JsonBytes json, Lane lane, int row) {
    if (json.takeNull()) {
      return true;
    }
    given[lane.index]++;
    if (lane.stateAt >= 0) {
      LONGS.set(blocks[counts], row * rowBytes[counts] + lane.stateAt, PRESENT);
    }
    int at = row * rowBytes[lane.block] + lane.valueAt;
    if (lane.sequence) {
      return takeElements(json, lane, row, at);
    }
    return lane.take(json) && put(lane, at, json.bits());
  }

  private boolean put(Lane lane, int at, long bits) {
    if (!lane.narrow) {
      LONGS.set(blocks[lane.block], at, bits);
      return true;
    }
    double value = Double.longBitsToDouble(bits);
    INTS.set(blocks[lane.block], at, Float.floatToIntBits((float) value));
    return lane.fits(value);
  }

  private boolean takeElements(JsonBytes json, Lane lane, int row, int at) {
    if (!json.takeNext('[')) {
      return false;
    }
    int count = 0;
    if (!json.take(']')) {
      do {
        json.space();
        if (!lane.take(json)) {
          return false;
        }
        if (count == elements.length) {
          elements = Arrays.copyOf(elements, 2 * count);
        }
        elements[count++] = json.bits();
      } while (json.take(','));
      if (!json.takeNext(']')) {
        return false;
      }
    }
    if (lane.exactLength >= 0 && lane.exactLength != count) {
      return false;
    }
    int kept = Math.min(count, lane.maxLength);
    int first = lane.keepsLast ? count - kept : 0;
    boolean fits = true;
    for (int i = 0; i < count; i++) {
      // Elements that are not kept must fit too; they are overwritten, or come back to zero.
      fits &= !lane.narrow || lane.fits(Double.longBitsToDouble(elements[i]));
    }
    for (int i = 0; i < kept; i++) {
      fits &= put(lane, at + i * lane.elementBytes, elements[first + i]);
    }
    if (lane.lengthAt >= 0) {
      LONGS.set(blocks[counts], row * rowBytes[counts] + lane.lengthAt, (long) kept);
    }
    if (lane.group >= 0) {
      lengths[lane.index][row] = count;
    }
    return fits;
  }

  /** Ends the rows; returns false if one lacks something. */
  boolean complete() {
    for (Lane lane : lanes) {
      if (lane.refusesMissing && given[lane.index] < rows) {
        return false;
      }
    }
    for (PackPlan.Group group : groups) {
      int[] expected = lengths[group.members().get(0).index()];
      int most = group.members().get(0).maxLength();
      int at = group.members().get(0).countAt(0, group.length());
      for (int row = 0; row < rows; row++) {
        for (int i = 1; i < group.members().size(); i++) {
          if (lengths[group.members().get(i).index()][row] != expected[row]) {
            return false;
          }
        }
        LONGS.set(
            blocks[counts], row * rowBytes[counts] + at, (long) Math.min(expected[row], most));
      }
    }
    return true;
  }

  /** Adds the rows' blocks, and counts what is missing. */
  void give(List<ByteBuffer> to, Counts absorbed) {
    for (int i = 0; i < blocks.length; i++) {
      byte[] exact = Arrays.copyOf(blocks[i], rows * rowBytes[i]);
      to.add(ByteBuffer.wrap(exact).order(ByteOrder.LITTLE_ENDIAN));
    }
    for (Lane lane : lanes) {
      if (given[lane.index] < rows) {
        absorbed.missing(lane.slot, rows - given[lane.index]);
      }
    }
  }

  /** Forgets the rows. */
  void clear() {
    for (int i = 0; i < blocks.length; i++) {
      Arrays.fill(blocks[i], 0, rows * rowBytes[i], (byte) 0);
    }
    for (Lane lane : lanes) {
      if (lane.group >= 0) {
        Arrays.fill(lengths[lane.index], 0, rows, 0);
      }
    }
    Arrays.fill(given, 0);
    rows = 0;
  }
}
