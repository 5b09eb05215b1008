package dev.twinrank.core.internal.trees;

import java.util.Optional;

/**
 * A LabelEncoder's table: from an integer to a value, by open addressing. Immutable and
 * thread-safe.
 */
final class Table {
  private static final long MIX = 0x9E3779B97F4A7C15L;

  private final long[] keys;
  private final long[] values;
  private final boolean[] taken;
  private final int shift;
  private final long otherwise;

  private Table(int bits, long otherwise) {
    this.keys = new long[1 << bits];
    this.values = new long[1 << bits];
    this.taken = new boolean[1 << bits];
    this.shift = Long.SIZE - bits;
    this.otherwise = otherwise;
  }

  /** Makes a table of values' bits; nothing if a key is there twice. */
  static Optional<Table> of(long[] keys, long[] values, long otherwise) {
    int bits = 2;
    while (1L << bits < 2L * keys.length) {
      bits++;
    }
    Table table = new Table(bits, otherwise);
    for (int i = 0; i < keys.length; i++) {
      int at = table.place(keys[i]);
      if (table.taken[at]) {
        return Optional.empty();
      }
      table.taken[at] = true;
      table.keys[at] = keys[i];
      table.values[at] = values[i];
    }
    return Optional.of(table);
  }

  /** Returns the bits of a key's value. */
  long bits(long key) {
    int at = place(key);
    return taken[at] ? values[at] : otherwise;
  }

  private int place(long key) {
    int at = (int) ((key * MIX) >>> shift);
    while (taken[at] && keys[at] != key) {
      at = (at + 1) & (keys.length - 1);
    }
    return at;
  }
}
