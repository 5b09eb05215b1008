package dev.twinrank.core.internal.json;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Takes JSON tokens from UTF-8 bytes, one after the other, as RFC 8259 and the contract have them.
 * Not thread-safe; made once, used for many texts.
 *
 * <p>It knows no errors: what takes a token says whether it was there, and where it was not, the
 * position means nothing any more and the text is for {@link JsonCursor} to judge. So it may refuse
 * what is allowed, but may never take what is not.
 */
public final class JsonBytes {
  private static final Hasher64 XXH3 = Hashing.xxh3_64();
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;

  /** Zeros behind the text, so that words can be read and no loop asks where it ends. */
  private static final int PADDING = 16;

  private static final int LONGEST_NUMBER = 1000;
  // Of as many decimal digits every number fits in an unsigned long.
  private static final int MOST_DIGITS = 19;
  private static final int LARGEST_EXPONENT = 100_000;
  private static final byte[] NULL = {'n', 'u', 'l', 'l'};
  private static final byte[] TRUE = {'t', 'r', 'u', 'e'};
  private static final byte[] FALSE = {'f', 'a', 'l', 's', 'e'};
  private static final byte[] NAN = "\"NaN\"".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] INFINITY = "\"Infinity\"".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] MINUS_INFINITY = "\"-Infinity\"".getBytes(StandardCharsets.US_ASCII);

  private byte[] text = new byte[1 << 12];
  private int length;
  private int at;
  private byte[] plain = new byte[1 << 8];
  private int plainLength;
  private long bits;

  /** Starts with a text, which is copied. */
  public void begin(byte[] json) {
    length = json.length;
    if (text.length < length + PADDING) {
      text = new byte[Math.addExact(length, Math.max(PADDING, length / 4))];
    }
    System.arraycopy(json, 0, text, 0, length);
    Arrays.fill(text, length, length + PADDING, (byte) 0);
    at = 0;
  }

  /** Returns how many bytes it holds on to. */
  public int held() {
    return text.length + plain.length;
  }

  /** Returns the bits of the value taken last: an integer, a float64's bits, or a string's key. */
  public long bits() {
    return bits;
  }

  /** Takes all white space; returns whether the text ends there. */
  public boolean atEnd() {
    space();
    return at == length;
  }

  /** Takes white space, then a character, if it is there. */
  public boolean take(char one) {
    space();
    return takeNext(one);
  }

  /** Takes a character, if it is there. */
  public boolean takeNext(char one) {
    if (text[at] != one) {
      return false;
    }
    at++;
    return true;
  }

  /** Takes white space. */
  public void space() {
    byte one = text[at];
    while (one <= ' ' && (one == ' ' || one == '\n' || one == '\r' || one == '\t')) {
      one = text[++at];
    }
  }

  /** Takes a name with its quotes, if it is there as it is written. */
  public boolean takeName(NamePattern name) {
    if (!name.matches(text, at)) {
      return false;
    }
    at += name.length();
    return true;
  }

  /** Takes {@code null}, if it is there. */
  public boolean takeNull() {
    return text[at] == 'n' && takeWord(NULL);
  }

  /** Takes a boolean as 1 or 0. */
  public boolean takeBool() {
    bits = 1;
    if (takeWord(TRUE)) {
      return true;
    }
    bits = 0;
    return takeWord(FALSE);
  }

  /** Takes the string that stands for NaN or an infinity. */
  public boolean takeNonFinite() {
    if (takeWord(NAN)) {
      bits = Double.doubleToLongBits(Double.NaN);
    } else if (takeWord(INFINITY)) {
      bits = Double.doubleToLongBits(Double.POSITIVE_INFINITY);
    } else if (takeWord(MINUS_INFINITY)) {
      bits = Double.doubleToLongBits(Double.NEGATIVE_INFINITY);
    } else {
      return false;
    }
    return true;
  }

  /** Returns whether a string begins here. */
  public boolean isString() {
    return text[at] == '"';
  }

  private boolean takeWord(byte[] word) {
    // No word holds a zero, so that the padding ends every comparison.
    for (int i = 0; i < word.length; i++) {
      if (text[at + i] != word[i]) {
        return false;
      }
    }
    at += word.length;
    return true;
  }

  /** Takes a string as its key: XXH3-64 of its UTF-8 bytes. */
  public boolean takeKey() {
    if (text[at] != '"') {
      return false;
    }
    int from = at + 1;
    int to = from;
    long special = special((long) LONGS.get(text, to));
    while (special == 0) {
      to += Long.BYTES;
      special = special((long) LONGS.get(text, to));
    }
    to += Long.numberOfTrailingZeros(special) >>> 3;
    if (text[to] == '"') {
      bits = XXH3.hashBytesToLong(text, from, to - from);
      at = to + 1;
      return true;
    }
    if (!unescape(from, to)) {
      return false;
    }
    bits = XXH3.hashBytesToLong(plain, 0, plainLength);
    return true;
  }

  /**
   * Marks a quote, a backslash, a control character and what is not ASCII with the high bits of
   * their bytes. The lowest mark is right; those above it may be too many.
   */
  private static long special(long word) {
    long quote = word ^ ('"' * ONES);
    long backslash = word ^ ('\\' * ONES);
    return (word | (word - ' ' * ONES) | (quote - ONES) | (backslash - ONES)) & HIGH_BITS;
  }

  /**
   * Takes the rest of a string and leaves its UTF-8 bytes in {@link #plain}.
   *
   * @param from where the string's first byte is
   * @param first the first byte that is none of plain ASCII's
   */
  private boolean unescape(int from, int first) {
    int to = first - from;
    plain = roomFor(plain, to);
    System.arraycopy(text, from, plain, 0, to);
    for (int i = first; text[i] != '"'; ) {
      plain = roomFor(plain, to);
      byte one = text[i];
      if (one == '\\') {
        int read = escape(i);
        if (read == 0) {
          return false;
        }
        to = write(escaped, to);
        i += read;
      } else {
        int count = one >= ' ' ? 1 : one < 0 ? wide(i) : 0;
        for (int j = 0; j < count; j++) {
          plain[to++] = text[i + j];
        }
        if (count == 0) {
          return false;
        }
        i += count;
      }
      at = i;
    }
    at++;
    plainLength = to;
    return true;
  }

  private int escaped;

  /** Reads an escape into {@link #escaped}; returns its length, or 0 if it is no character. */
  private int escape(int i) {
    int simple = "\"\\/bfnrt".indexOf(text[i + 1]);
    if (simple >= 0) {
      escaped = "\"\\/\b\f\n\r\t".charAt(simple);
      return 2;
    }
    int unit = unit(i);
    if (unit < 0 || !Character.isSurrogate((char) unit)) {
      escaped = unit;
      return unit < 0 ? 0 : 6;
    }
    int low = Character.isHighSurrogate((char) unit) ? unit(i + 6) : -1;
    if (low < 0 || !Character.isLowSurrogate((char) low)) {
      return 0;
    }
    escaped = Character.toCodePoint((char) unit, (char) low);
    return 12;
  }

  /** Returns the UTF-16 unit of an escape, or −1. */
  private int unit(int i) {
    // Short of the text's end there are zeros, which are neither a backslash nor a digit.
    if (text[i] != '\\' || text[i + 1] != 'u') {
      return -1;
    }
    int unit = 0;
    for (int j = i + 2; j < i + 6; j++) {
      int digit = text[j] < 0 ? -1 : Character.digit(text[j], 16);
      if (digit < 0) {
        return -1;
      }
      unit = (unit << 4) | digit;
    }
    return unit;
  }

  /** Writes a character's UTF-8 bytes; returns where the next go. */
  private int write(int point, int from) {
    int to = from;
    if (point < 0x80) {
      plain[to++] = (byte) point;
      return to;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    plain[to++] = (byte) ((0xFF00 >> (more + 1)) | (point >> (6 * more)));
    for (int i = more - 1; i >= 0; i--) {
      plain[to++] = (byte) (0x80 | ((point >> (6 * i)) & 0x3F));
    }
    return to;
  }

  /** Returns the length of a character that is not ASCII, or 0 if it is none. */
  private int wide(int i) {
    int lead = text[i] & 0xFF;
    int next = text[i + 1] & 0xFF;
    if (lead < 0xC2 || lead > 0xF4 || !continues(i + 1)) {
      return 0;
    }
    if (lead < 0xE0) {
      return 2;
    }
    if (!continues(i + 2)) {
      return 0;
    }
    if (lead < 0xF0) {
      // Neither overlong nor a surrogate.
      return (lead == 0xE0 && next < 0xA0) || (lead == 0xED && next >= 0xA0) ? 0 : 3;
    }
    boolean point = lead == 0xF0 ? next >= 0x90 : lead < 0xF4 || next < 0x90;
    return point && continues(i + 3) ? 4 : 0;
  }

  private boolean continues(int i) {
    return (text[i] & 0xC0) == 0x80;
  }

  private static byte[] roomFor(byte[] bytes, int used) {
    // A character has at most four bytes.
    return used + 4 <= bytes.length ? bytes : Arrays.copyOf(bytes, 2 * used + 4);
  }

  /** Takes an integer literal that fits in 64 bits. */
  public boolean takeInteger() {
    int i = at;
    boolean negative = text[i] == '-';
    if (negative) {
      i++;
    }
    int first = i;
    long value = 0;
    int digit = text[i] - '0';
    if (digit == 0) {
      i++;
    } else {
      for (; digit >= 0 && digit <= 9; digit = text[++i] - '0') {
        value = 10 * value + digit;
      }
    }
    // What follows is seen by whoever takes the next token, a fraction too.
    int digits = i - first;
    boolean fits = value >= 0 || (negative && value == Long.MIN_VALUE);
    at = i;
    bits = negative ? -value : value;
    return digits > 0 && digits <= MOST_DIGITS && fits;
  }

  /** Takes a number literal as the nearest float64, which is finite. */
  public boolean takeDecimal() {
    int from = at;
    int i = from;
    boolean negative = text[i] == '-';
    if (negative) {
      i++;
    }
    long value = 0;
    int first = i;
    int digit = text[i] - '0';
    if (digit == 0) {
      digit = text[++i] - '0';
    } else {
      for (; digit >= 0 && digit <= 9; digit = text[++i] - '0') {
        value = 10 * value + digit;
      }
      if (i == first) {
        return false;
      }
    }
    int digits = i - first;
    int exponent = 0;
    if (text[i] == '.') {
      int point = ++i;
      digit = text[i] - '0';
      if (value == 0) {
        // Zeros ahead of the first digit that counts are no digits.
        for (; digit == 0; digit = text[++i] - '0') {
          digits--;
        }
      }
      for (; digit >= 0 && digit <= 9; digit = text[++i] - '0') {
        value = 10 * value + digit;
      }
      exponent = point - i;
      if (exponent == 0) {
        return false;
      }
      digits -= exponent;
    }
    if (text[i] == 'e' || text[i] == 'E') {
      at = i + 1;
      if (!takeExponent()) {
        return false;
      }
      exponent += power;
      i = at;
    }
    at = i;
    if (i - from > LONGEST_NUMBER) {
      return false;
    }
    if (digits <= MOST_DIGITS) {
      double number = Decimals.nearest(value, exponent);
      if (number >= 0) {
        bits = Double.doubleToRawLongBits(negative ? -number : number);
        return true;
      }
    }
    return takeSlowly(from, i);
  }

  private int power;

  private boolean takeExponent() {
    int i = at;
    boolean negative = text[i] == '-';
    if (negative || text[i] == '+') {
      i++;
    }
    int first = i;
    int value = 0;
    for (int digit = text[i] - '0'; digit >= 0 && digit <= 9; digit = text[++i] - '0') {
      value = Math.min(LARGEST_EXPONENT, 10 * value + digit);
    }
    at = i;
    power = negative ? -value : value;
    return i > first;
  }

  /** Reads a literal whose form is right as everybody else does. */
  private boolean takeSlowly(int from, int to) {
    double number =
        Double.parseDouble(new String(text, from, to - from, StandardCharsets.ISO_8859_1));
    bits = Double.doubleToRawLongBits(number);
    return !Double.isInfinite(number);
  }
}
