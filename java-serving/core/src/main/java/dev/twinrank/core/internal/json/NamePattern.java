package dev.twinrank.core.internal.json;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A member's name as it usually stands in a text: in quotes, without escapes. Immutable. */
public final class NamePattern {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private final int length;
  private final long[] words;
  private final long lastMask;

  /** Makes the pattern of a name of ASCII letters, digits and underscores. */
  public NamePattern(String name) {
    byte[] quoted = ('"' + name + '"').getBytes(StandardCharsets.US_ASCII);
    length = quoted.length;
    words = new long[(length + Long.BYTES - 1) / Long.BYTES];
    byte[] padded = Arrays.copyOf(quoted, words.length * Long.BYTES);
    for (int i = 0; i < words.length; i++) {
      words[i] = (long) LONGS.get(padded, i * Long.BYTES);
    }
    int lastBytes = length - (words.length - 1) * Long.BYTES;
    lastMask = -1L >>> (Long.SIZE - lastBytes * Byte.SIZE);
  }

  /** Returns how many bytes it has, quotes included. */
  int length() {
    return length;
  }

  /** Returns whether it stands there; at least seven bytes must follow the text. */
  boolean matches(byte[] text, int at) {
    int last = words.length - 1;
    for (int i = 0; i < last; i++) {
      // A word that differs ends this before anything beyond the text is read.
      if ((long) LONGS.get(text, at + i * Long.BYTES) != words[i]) {
        return false;
      }
    }
    return ((long) LONGS.get(text, at + last * Long.BYTES) & lastMask) == words[last];
  }
}
