package dev.twinrank.core.internal.pack;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;

/** Turns strings into keys: XXH3-64 (seed 0) of their UTF-8 bytes. Not thread-safe. */
final class KeyEncoder {
  private static final Hasher64 XXH3 = Hashing.xxh3_64();

  private byte[] utf8 = new byte[64];
  private int length;

  /** Encodes characters for {@link #key}; returns false if there is a lone surrogate. */
  boolean encode(char[] chars, int offset, int count) {
    // Three bytes a UTF-16 unit is the most that UTF-8 takes: a pair makes four.
    if (utf8.length < 3L * count) {
      utf8 = new byte[(int) Math.min(6L * count, Integer.MAX_VALUE - 8)];
    }
    length = 0;
    int end = offset + count;
    for (int i = offset; i < end; i++) {
      char c = chars[i];
      if (c < 0x80) {
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
        return false;
      }
    }
    return true;
  }

  /** Returns the key of what was encoded last. */
  long key() {
    return XXH3.hashBytesToLong(utf8, 0, length);
  }
}
