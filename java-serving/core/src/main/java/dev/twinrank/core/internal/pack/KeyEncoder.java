package dev.twinrank.core.internal.pack;

import com.dynatrace.hash4j.hashing.HashStream64;
import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Turns strings into keys: XXH3-64 (seed 0) of their UTF-8 bytes. Not thread-safe.
 *
 * <p>Its memory is fixed, whatever the length of the strings, and nothing is allocated for those of
 * at most {@value #UNITS} UTF-16 units.
 */
public final class KeyEncoder {
  private static final Hasher64 XXH3 = Hashing.xxh3_64();

  /** The UTF-16 units that are encoded at once; what is longer is hashed as a stream of such. */
  static final int UNITS = 512;

  /** A pair makes four bytes, so that three a unit is the most. */
  private static final int BYTES_PER_UNIT = 3;

  private static final int ASCII_END = 0x80;

  private final byte[] utf8 = new byte[BYTES_PER_UNIT * UNITS];
  private final char[] units = new char[UNITS];
  private long key;

  /** Makes the key of a string; returns false if there is a lone surrogate. */
  @SuppressWarnings("deprecation") // getBytes drops the high bytes, and the loop refuses any
  public boolean encode(String text) {
    int count = text.length();
    if (count > UNITS) {
      return encodeLong(text);
    }
    text.getBytes(0, count, utf8, 0);
    int seen = 0;
    for (int i = 0; i < count; i++) {
      seen |= text.charAt(i);
    }
    if (seen < ASCII_END) {
      key = XXH3.hashBytesToLong(utf8, 0, count);
      return true;
    }
    text.getChars(0, count, units, 0);
    return finish(write(units, 0, count));
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

  private boolean encodeLong(String text) {
    HashStream64 stream = XXH3.hashStream();
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
        utf8[length++] = (byte) (0xC0 | (c >> 6));
        utf8[length++] = (byte) (0x80 | (c & 0x3F));
      } else if (!Character.isSurrogate(c)) {
        utf8[length++] = (byte) (0xE0 | (c >> 12));
        utf8[length++] = (byte) (0x80 | ((c >> 6) & 0x3F));
        utf8[length++] = (byte) (0x80 | (c & 0x3F));
      } else if (i + 1 < end && Character.isSurrogatePair(c, chars[i + 1])) {
        int point = Character.toCodePoint(c, chars[++i]);
        utf8[length++] = (byte) (0xF0 | (point >> 18));
        utf8[length++] = (byte) (0x80 | ((point >> 12) & 0x3F));
        utf8[length++] = (byte) (0x80 | ((point >> 6) & 0x3F));
        utf8[length++] = (byte) (0x80 | (point & 0x3F));
      } else {
        return -1;
      }
    }
    return length;
  }
}
