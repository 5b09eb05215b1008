package dev.twinrank.core;

/** SplitMix64 (Steele, Lea, Flood 2014): the same numbers in every language. */
final class SplitMix {
  private long state;

  /** Starts the numbers of one case. */
  SplitMix(int seed, int number) {
    state = ((long) seed << 32) | number;
  }

  long next() {
    state += 0x9E3779B97F4A7C15L;
    long z = state;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  int below(int bound) {
    return (int) ((next() >>> 1) % bound);
  }

  byte[] bytes(int count) {
    byte[] bytes = new byte[count];
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) next();
    }
    return bytes;
  }
}
