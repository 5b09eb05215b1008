package dev.twinrank.core.internal.pack;

import com.dynatrace.hash4j.hashing.HashStream64;
import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Turns strings into keys: XXH3-64 (seed 0) of their UTF-8 bytes. Not thread-safe.
 *
 * <p>Its memory is bounded, whatever the length of the strings; when it has what it needs, strings
 * of at most {@value #UNITS} UTF-16 units allocate nothing.
 */
public final class KeyEncoder {
  /** The UTF-16 units that are encoded at once; what is longer is hashed as a stream of such. */
  static final int UNITS = 512;

  /** The least length of scratch: a pair makes four bytes, and one byte may be written beyond. */
  public static final int SCRATCH = 3 * UNITS + 1;

  private static final Hasher64 XXH3 = Hashing.xxh3_64();
  private static final VarHandle SHORTS = view(short[].class);
  private static final VarHandle INTS = view(int[].class);
  private static final int ASCII_END = 0x80;

  private final byte[] utf8;
  private char[] units = {};
  private long key;

  /** Makes an encoder. */
  public KeyEncoder() {
    this(new byte[SCRATCH]);
  }

  /** Makes an encoder that works in a caller's memory, which it changes. */
  public KeyEncoder(byte[] scratch) {
    this.utf8 = scratch;
  }

  /** Returns the key of a string that is UTF-8 already; its bytes are taken as they are. */
  public static long keyOf(byte[] utf8, int offset, int length) {
    return XXH3.hashBytesToLong(utf8, offset, length);
  }

  /** Makes the key of a string; returns false if there is a lone surrogate. */
  @SuppressWarnings("deprecation")
  public boolean encode(String text) {
    int count = text.length();
    if (count > UNITS) {
      return encodeLong(text);
    }
    // The first character spares most scripts a copy that would be in vain.
    if (count > 0 && text.charAt(0) >= ASCII_END) {
      return encodeWide(text, count);
    }
    // Drops the high bytes of all characters, so it counts only if none has any.
    text.getBytes(0, count, utf8, 0);
    return seen(text, count) < ASCII_END ? finish(count) : encodeWide(text, count);
  }

  /** Makes the key of characters; returns false if there is a lone surrogate. */
  public boolean encode(char[] chars, int offset, int count) {
    return count > UNITS
        ? encodeLong(chars, offset, count)
        : finish(write(chars, offset, offset + count));
  }

  /** Returns the key that was made last. */
  public long key() {
    return key;
  }

  /**
   * Makes the keys of strings until one has none, and writes each at its place of a column.
   *
   * @param first where the key of {@code strings[0]} would stand, in bytes
   * @param stride how far the keys stand apart, in bytes
   * @return the index of the first string that is null or has a lone surrogate, else {@code to}
   */
  public int encode(String[] strings, int from, int to, ByteBuffer column, int first, int stride) {
    for (int i = from; i < to; i++) {
      String text = strings[i];
      if (text == null || !encode(text)) {
        return i;
      }
      column.putLong(first + i * stride, key);
    }
    return to;
  }

  /**
   * As for an array; a list without random access should be copied first.
   *
   * @see #encode(String[], int, int, ByteBuffer, int, int)
   */
  public int encode(
      List<String> strings, int from, int to, ByteBuffer column, int first, int stride) {
    for (int i = from; i < to; i++) {
      String text = strings.get(i);
      if (text == null || !encode(text)) {
        return i;
      }
      column.putLong(first + i * stride, key);
    }
    return to;
  }

  private boolean finish(int length) {
    if (length < 0) {
      return false;
    }
    key = XXH3.hashBytesToLong(utf8, 0, length);
    return true;
  }

  /**
   * Returns the union of the bits of all characters.
   *
   * <p>Loops of a fixed number of steps, overlapping at the end, are unrolled without a test of the
   * string's inner form or of an index in each; a loop to the end costs as much as the hash.
   */
  private static int seen(String text, int count) {
    int seen = 0;
    if (count > 8) {
      for (int i = 0; i < 8; i++) {
        seen |= text.charAt(i) | text.charAt(count - 8 + i);
      }
      for (int from = 8; from < count - 8; from += 8) {
        for (int i = 0; i < 8; i++) {
          seen |= text.charAt(from + i);
        }
      }
    } else if (count >= 4) {
      for (int i = 0; i < 4; i++) {
        seen |= text.charAt(i) | text.charAt(count - 4 + i);
      }
    } else {
      for (int i = 0; i < count; i++) {
        seen |= text.charAt(i);
      }
    }
    return seen;
  }

  private boolean encodeWide(String text, int count) {
    room(count);
    text.getChars(0, count, units, 0);
    return finish(write(units, 0, count));
  }

  private void room(int count) {
    if (units.length < count) {
      units = new char[Math.min(UNITS, 2 * count)];
    }
  }

  private boolean encodeLong(String text) {
    HashStream64 stream = XXH3.hashStream();
    room(UNITS);
    for (int from = 0; from < text.length(); ) {
      int count = Math.min(UNITS, text.length() - from);
      text.getChars(from, from + count, units, 0);
      count = whole(units, 0, count, from + count == text.length());
      int length = write(units, 0, count);
      if (length < 0) {
        return false;
      }
      stream.putBytes(utf8, 0, length);
      from += count;
    }
    key = stream.getAsLong();
    return true;
  }

  private boolean encodeLong(char[] chars, int offset, int count) {
    HashStream64 stream = XXH3.hashStream();
    int end = offset + count;
    for (int from = offset; from < end; ) {
      int part = whole(chars, from, Math.min(UNITS, end - from), end - from <= UNITS);
      int length = write(chars, from, from + part);
      if (length < 0) {
        return false;
      }
      stream.putBytes(utf8, 0, length);
      from += part;
    }
    key = stream.getAsLong();
    return true;
  }

  /** Leaves the first half of a pair to the next part, so that no pair is cut. */
  private static int whole(char[] chars, int offset, int count, boolean last) {
    return !last && Character.isHighSurrogate(chars[offset + count - 1]) ? count - 1 : count;
  }

  /** Writes the UTF-8 bytes of characters; returns how many, or −1 for a lone surrogate. */
  private int write(char[] chars, int from, int end) {
    int length = 0;
    for (int i = from; i < end; i++) {
      char c = chars[i];
      if (c < ASCII_END) {
        utf8[length++] = (byte) c;
      } else if (c < 0x800) {
        SHORTS.set(utf8, length, (short) (0x80C0 | c >> 6 | (c & 0x3F) << 8));
        length += 2;
      } else if (!Character.isSurrogate(c)) {
        INTS.set(utf8, length, 0x8080E0 | c >> 12 | (c >> 6 & 0x3F) << 8 | (c & 0x3F) << 16);
        length += 3; // the fourth byte is zero and is overwritten or left out
      } else if (i + 1 < end && Character.isSurrogatePair(c, chars[i + 1])) {
        int point = Character.toCodePoint(c, chars[++i]);
        INTS.set(
            utf8,
            length,
            0x808080F0
                | point >> 18
                | (point >> 12 & 0x3F) << 8
                | (point >> 6 & 0x3F) << 16
                | (point & 0x3F) << 24);
        length += 4;
      } else {
        return -1;
      }
    }
    return length;
  }

  private static VarHandle view(Class<?> array) {
    return MethodHandles.byteArrayViewVarHandle(array, ByteOrder.LITTLE_ENDIAN);
  }
}
