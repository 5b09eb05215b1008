package dev.twinrank.junit;

import dev.twinrank.junit.Requests.Span;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Requests that nobody would write, made from ones that somebody did. One seed gives one sequence.
 */
final class Mutations {
  private static final List<String> ATOMS =
      List.of(
          "null",
          "true",
          "false",
          "0",
          "-0",
          "-0.0",
          "1",
          "-1",
          "1.0",
          "1e3",
          "0.1",
          "16777217",
          "5e-324",
          "1e-46",
          "3.4028236e38",
          "1e308",
          "1e400",
          "9007199254740993",
          "9223372036854775807",
          "-9223372036854775808",
          "9223372036854775808",
          "01",
          "+1",
          ".5",
          "NaN",
          "\"\"",
          "\"NaN\"",
          "\"Infinity\"",
          "\"-Infinity\"",
          "\"nan\"",
          "\"1\"",
          "\"\\u0000\"",
          "\"\\ud800\"",
          "\"\\ud83d\\ude00\"",
          "\"😀\"",
          "\"é\"",
          "\"e\u0301\"",
          "\"İ\"",
          "\"ß\"",
          "\"Straße\"",
          "\"STRASSE\"",
          "[]",
          "[null]",
          "[\"\"]",
          "[0]",
          "[0,0,0,0,0,0,0,0,0,0]",
          "[[0]]",
          "{}",
          "{\"a\":0}");

  private static final List<String> CUTS =
      List.of("0", "1", "2", "-0", "-1", "1.0", "null", "99999999999999999999", "\"1\"");

  private final List<Requests> sound;
  private final Random random;

  /** Starts a sequence over at least one request. */
  Mutations(List<Requests> sound, long seed) {
    this.sound = sound;
    this.random = new Random(seed);
  }

  /**
   * Returns the next request: one to three of its values, members or bytes are not as they were.
   */
  byte[] next() {
    byte[] raw = once(pick(sound));
    // What is no JSON any more cannot be taken apart; what is refused for a value still can.
    for (int more = random.nextInt(3); more > 0; more--) {
      Requests parts;
      try {
        parts = Requests.of(raw);
      } catch (IllegalArgumentException e) {
        return raw;
      }
      raw = parts.members.isEmpty() ? raw : once(parts);
    }
    return raw;
  }

  private byte[] once(Requests parts) {
    Span value = pick(parts.values);
    Span member = pick(parts.members);
    return switch (random.nextInt(13)) {
      case 0 -> parts.replaced(member, "\"no_such_feature\":0");
      case 1 -> parts.replaced(member, parts.text(member) + "," + parts.text(member));
      case 2 -> parts.replaced(member, ""); // a comma may be left over, which is a request too
      case 3 -> Arrays.copyOf(parts.raw(), random.nextInt(parts.raw().length));
      case 4 -> flipped(parts.raw());
      case 5 -> otherCandidates(parts);
      case 6 -> otherCut(parts);
      case 7 -> parts.replaced(value, otherLetters(parts.text(value)));
      default -> parts.replaced(value, pick(ATOMS));
    };
  }

  private byte[] flipped(byte[] raw) {
    byte[] flipped = raw.clone();
    flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
    return flipped;
  }

  /** Some twice, some not at all, in any order. */
  private byte[] otherCandidates(Requests parts) {
    int count = parts.candidates.size();
    return parts.with(
        random
            .ints(count == 0 ? 0 : random.nextInt(2 * count + 1), 0, Math.max(1, count))
            .boxed()
            .toList());
  }

  /** A string that a vocabulary may hold, as a person would take it for the same. */
  private String otherLetters(String value) {
    return switch (random.nextInt(3)) {
      case 0 -> value.toUpperCase(Locale.ROOT);
      case 1 -> value.startsWith("\"") ? "\" " + value.substring(1) : value;
      default -> Normalizer.normalize(value, Normalizer.Form.NFD);
    };
  }

  private byte[] otherCut(Requests parts) {
    List<Integer> all = everyCandidate(parts);
    Collections.shuffle(all, random);
    return parts.with(all, pick(CUTS));
  }

  /** Returns the indices of all candidates. */
  static List<Integer> everyCandidate(Requests parts) {
    List<Integer> all = new ArrayList<>();
    for (int candidate = 0; candidate < parts.candidates.size(); candidate++) {
      all.add(candidate);
    }
    return all;
  }

  private <T> T pick(List<T> from) {
    return from.get(random.nextInt(from.size()));
  }
}
