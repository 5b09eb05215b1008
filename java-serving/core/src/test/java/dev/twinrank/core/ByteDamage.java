package dev.twinrank.core;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Damage to bytes and to lines of text: see tests/contract/hostile/corruptions.md. */
final class ByteDamage {
  private static final List<String> TOKENS =
      List.of(
          "null",
          "-1",
          "0",
          "1e999",
          "\"x\"",
          "[]",
          "{}",
          "true",
          "01",
          "9223372036854775808",
          "\"\\ud800\"");

  private ByteDamage() {}

  static byte[] joined(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }

  static byte[] spoil(SplitMix random, byte[] sound) {
    int kind = random.below(6);
    if (sound.length == 0) {
      return random.bytes(1 + random.below(8));
    }
    byte[] bytes = sound.clone();
    if (kind == 0) {
      for (int left = 1 + random.below(3); left > 0; left--) {
        int at = random.below(bytes.length);
        bytes[at] ^= (byte) (1 << random.below(8));
      }
      return bytes;
    }
    int at = random.below(bytes.length);
    if (kind == 1) {
      bytes[at] ^= (byte) (1 + random.below(255));
      return bytes;
    }
    byte[] head = Arrays.copyOf(sound, at);
    byte[] tail = Arrays.copyOfRange(sound, at, sound.length);
    if (kind == 2) {
      return head;
    }
    if (kind == 3) {
      return joined(head, random.bytes(1 + random.below(8)), tail);
    }
    int count = Math.min(1 + random.below(16), tail.length);
    if (kind == 4) {
      return joined(head, Arrays.copyOfRange(tail, count, tail.length));
    }
    int to = random.below(sound.length + 1);
    return joined(
        Arrays.copyOf(sound, to),
        Arrays.copyOf(tail, count),
        Arrays.copyOfRange(sound, to, sound.length));
  }

  static byte[] spoilLines(SplitMix random, byte[] sound) {
    List<byte[]> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i <= sound.length; i++) {
      if (i == sound.length || sound[i] == '\n') {
        lines.add(Arrays.copyOfRange(sound, start, i));
        start = i + 1;
      }
    }
    int kind = random.below(5);
    int at = random.below(lines.size());
    switch (kind) {
      case 0 -> lines.remove(at);
      case 1 -> lines.add(at, lines.get(at));
      case 2 -> Collections.swap(lines, at, (at + 1) % lines.size());
      case 3 -> {
        byte[] line = lines.get(at);
        String token = TOKENS.get(random.below(TOKENS.size()));
        byte[] comma = Tiny.utf8(line.length > 0 && line[line.length - 1] == ',' ? "," : "");
        lines.set(at, joined(Arrays.copyOf(line, valueOf(line)), Tiny.utf8(token), comma));
      }
      default ->
          lines.add(at, Tiny.utf8(random.below(2) == 0 ? "\"x-added\": 1," : "\"added\": 1,"));
    }
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (int i = 0; i < lines.size(); i++) {
      if (i > 0) {
        all.write('\n');
      }
      all.writeBytes(lines.get(i));
    }
    return all.toByteArray();
  }

  /** Returns where the last value of a line begins, 0 if it has no colon. */
  private static int valueOf(byte[] line) {
    for (int i = line.length - 2; i >= 0; i--) {
      if (line[i] == ':' && line[i + 1] == ' ') {
        return i + 2;
      }
    }
    return 0;
  }
}
