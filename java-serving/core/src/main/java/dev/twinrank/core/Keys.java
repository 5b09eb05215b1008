package dev.twinrank.core;

import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.pack.KeyEncoder;
import dev.twinrank.core.internal.pack.Utf8;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The keys that models take in place of strings: XXH3-64 with seed 0 of the UTF-8 bytes. Static and
 * thread-safe.
 *
 * <p>A key depends on the string alone, not on the feature or the model. Whoever scores the same
 * items again and again keeps their keys beside them and makes none while a request waits. A
 * missing value has no key.
 *
 * @since 0.1
 */
public final class Keys {
  /** Bytes and no encoder, so that no thread holds on to the loader of this class. */
  private static final ThreadLocal<byte[]> SCRATCH =
      ThreadLocal.withInitial(() -> new byte[KeyEncoder.SCRATCH]);

  private Keys() {}

  /**
   * Returns the key of a string.
   *
   * @throws ScoringException {@code invalid_string} if it holds a lone surrogate
   */
  public static long of(String string) {
    KeyEncoder encoder = new KeyEncoder(SCRATCH.get());
    if (!encoder.encode(Objects.requireNonNull(string, "string"))) {
      throw refusal(string, OptionalInt.empty());
    }
    return encoder.key();
  }

  /**
   * Returns the key of a string that is there as bytes already; no string is made of them.
   *
   * @param utf8 holds the bytes
   * @param from where they begin
   * @param to where they end
   * @throws IndexOutOfBoundsException if that is no range of the array
   * @throws ScoringException {@code invalid_string} if the bytes are not UTF-8: overlong forms,
   *     surrogates and sequences that are cut off are not
   */
  public static long of(byte[] utf8, int from, int to) {
    Objects.checkFromToIndex(from, to, utf8.length);
    if (!Utf8.isValid(utf8, from, to)) {
      throw new ScoringException(
          ErrorCode.INVALID_STRING,
          "a string of "
              + (to - from)
              + " bytes has no key: the bytes are not UTF-8; send UTF-8 without overlong forms and"
              + " surrogates",
          Optional.empty(),
          OptionalInt.empty(),
          null);
    }
    return KeyEncoder.keyOf(utf8, from, to - from);
  }

  /**
   * Makes the key of each string.
   *
   * @param strings the strings
   * @param keys takes the keys; when this throws, those before the named index are in it and the
   *     rest is as it was
   * @throws IllegalArgumentException if the two differ in length
   * @throws NullPointerException if a string is null; the message names its index
   * @throws ScoringException {@code invalid_string} if one holds a lone surrogate; its index is
   *     given as the candidate
   */
  public static void of(String[] strings, long[] keys) {
    sameLength(strings.length, keys.length);
    KeyEncoder encoder = new KeyEncoder(SCRATCH.get());
    for (int i = 0; i < keys.length; i++) {
      keys[i] = key(encoder, strings[i], i);
    }
  }

  /**
   * Makes the key of each string.
   *
   * @param strings the strings
   * @param keys takes the keys; when this throws, those before the named index are in it and the
   *     rest is as it was
   * @throws IllegalArgumentException if the two differ in length
   * @throws NullPointerException if a string is null; the message names its index
   * @throws ScoringException {@code invalid_string} if one holds a lone surrogate; its index is
   *     given as the candidate
   */
  public static void of(List<String> strings, long[] keys) {
    sameLength(strings.size(), keys.length);
    KeyEncoder encoder = new KeyEncoder(SCRATCH.get());
    int i = 0;
    for (String string : strings) {
      keys[i] = key(encoder, string, i);
      i++;
    }
  }

  private static long key(KeyEncoder encoder, String string, int index) {
    if (string == null) {
      throw new NullPointerException(
          "string " + index + " is null: a missing value has no key; leave it out");
    }
    if (!encoder.encode(string)) {
      throw refusal(string, OptionalInt.of(index));
    }
    return encoder.key();
  }

  private static void sameLength(int strings, int keys) {
    if (strings != keys) {
      throw new IllegalArgumentException(
          "there are " + strings + " strings and room for " + keys + " keys; give as many");
    }
  }

  private static ScoringException refusal(String string, OptionalInt index) {
    return new ScoringException(
        ErrorCode.INVALID_STRING,
        (index.isPresent() ? "string " + index.getAsInt() + ", " : "the string ")
            + Quote.of(string)
            + (index.isPresent() ? "," : "")
            + " has no key: "
            + ErrorCode.INVALID_STRING.meaning()
            + "; send a string without lone surrogates",
        Optional.empty(),
        index,
        null);
  }
}
