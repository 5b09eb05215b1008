package dev.twinrank.core;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * Damage to one field of a protobuf, at any depth, with the lengths around it made right: see
 * tests/contract/hostile/corruptions.md.
 */
final class ProtoDamage {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;
  private static final int NESTING = 12;

  /** Where a field's tag, value and end are; bytes begin after their length. */
  private record Found(int tag, int value, int end, int number, int wire) {}

  /** A message and the field of it that holds the one below. */
  private record Parent(int start, int end, Found field) {}

  /** A number and where the next byte is, −1 if there was no number. */
  private record Varint(long value, int next) {}

  private ProtoDamage() {}

  static byte[] spoil(SplitMix random, byte[] sound) {
    List<Found> fields = scan(sound, 0, sound.length);
    if (fields.isEmpty()) {
      return ByteDamage.spoil(random, sound);
    }
    int start = 0;
    int end = sound.length;
    List<Parent> parents = new ArrayList<>();
    int at;
    while (true) {
      at = random.below(fields.size());
      Found chosen = fields.get(at);
      boolean deeper = chosen.wire() == BYTES && parents.size() < NESTING && random.below(4) != 0;
      List<Found> inner = deeper ? scan(sound, chosen.value(), chosen.end()) : List.of();
      if (inner.isEmpty()) {
        break;
      }
      parents.add(new Parent(start, end, chosen));
      start = chosen.value();
      end = chosen.end();
      fields = inner;
    }
    int kind = random.below(7);
    byte[] spoiled = message(random, sound, fields, at, kind);
    for (int i = parents.size() - 1; i >= 0; i--) {
      Parent parent = parents.get(i);
      Found field = parent.field();
      spoiled =
          ByteDamage.joined(
              Arrays.copyOfRange(sound, parent.start(), field.tag()),
              varint(((long) field.number() << 3) | BYTES),
              varint(spoiled.length),
              spoiled,
              Arrays.copyOfRange(sound, field.end(), parent.end()));
    }
    return spoiled;
  }

  private static byte[] message(
      SplitMix random, byte[] sound, List<Found> fields, int at, int kind) {
    List<byte[]> parts = new ArrayList<>();
    fields.forEach(field -> parts.add(Arrays.copyOfRange(sound, field.tag(), field.end())));
    Found field = fields.get(at);
    switch (kind) {
      case 0 -> parts.add(at, parts.get(at));
      case 1 -> parts.remove(at);
      case 2 -> parts.add(parts.remove(at));
      case 3 -> {
        int after = readVarint(sound, field.tag(), field.end()).next();
        byte[] tag = varint(((1L + random.below(30)) << 3) | field.wire());
        parts.set(at, ByteDamage.joined(tag, Arrays.copyOfRange(sound, after, field.end())));
      }
      case 4 -> {
        byte[] value = Arrays.copyOfRange(sound, field.value(), field.end());
        byte[] tag = varint(((long) field.number() << 3) | field.wire());
        parts.set(at, ByteDamage.joined(tag, value(random, value, field.wire())));
      }
      case 5 -> {
        byte[] tag = varint((1L + random.below(200)) << 3);
        parts.add(at, ByteDamage.joined(tag, varint(random.below(1000))));
      }
      default -> Collections.swap(parts, at, (at + 1) % parts.size());
    }
    return ByteDamage.joined(parts.toArray(new byte[0][]));
  }

  private static byte[] value(SplitMix random, byte[] old, int wire) {
    if (wire == BYTES) {
      int kept = random.below(old.length + 1);
      return ByteDamage.joined(varint(kept), Arrays.copyOf(old, kept));
    }
    if (wire != VARINT) {
      return random.bytes(old.length);
    }
    long number = readVarint(old, 0, old.length).value();
    return switch (random.below(6)) {
      case 0 -> varint(0);
      case 1 -> varint(number + 1);
      case 2 -> varint(number + (1L << 32));
      case 3 -> varint(Long.MIN_VALUE);
      case 4 -> varint(random.next());
      default -> {
        byte[] longer = Arrays.copyOf(old, old.length + 1);
        longer[old.length - 1] |= (byte) 0x80;
        yield longer;
      }
    };
  }

  /** Writes an unsigned number. */
  private static byte[] varint(long value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    long left = value;
    while ((left & ~0x7FL) != 0) {
      out.write((int) ((left & 0x7F) | 0x80));
      left >>>= 7;
    }
    out.write((int) left);
    return out.toByteArray();
  }

  private static Varint readVarint(byte[] data, int at, int end) {
    long value = 0;
    for (int i = 0; i < 10 && at + i < end; i++) {
      byte each = data[at + i];
      value |= (long) (each & 0x7F) << (7 * i);
      if (each >= 0) {
        return new Varint(value, at + i + 1);
      }
    }
    return new Varint(0, -1);
  }

  /** Returns the fields of a message, none if it is no message. */
  private static List<Found> scan(byte[] data, int from, int end) {
    List<Found> found = new ArrayList<>();
    int at = from;
    while (at < end) {
      int start = at;
      Varint tag = readVarint(data, at, end);
      long number = tag.value() >>> 3;
      int wire = (int) (tag.value() & 7);
      if (tag.next() < 0 || number < 1 || number >= 1 << 29) {
        return List.of();
      }
      int value = tag.next();
      at = value;
      switch (wire) {
        case VARINT -> at = readVarint(data, at, end).next();
        case BYTES -> {
          Varint length = readVarint(data, at, end);
          value = length.next();
          boolean fits = value >= 0 && length.value() >= 0 && length.value() <= (long) end - value;
          at = fits ? value + (int) length.value() : -1;
        }
        case FIXED64 -> at += Long.BYTES;
        case FIXED32 -> at += Integer.BYTES;
        default -> at = -1;
      }
      if (at < 0 || at > end) {
        return List.of();
      }
      found.add(new Found(start, value, at, (int) number, wire));
    }
    return found;
  }
}
