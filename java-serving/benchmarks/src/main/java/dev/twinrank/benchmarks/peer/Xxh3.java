package dev.twinrank.benchmarks.peer;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.charset.StandardCharsets;

/** Keys as a team makes them that knows the contract and the library. */
final class Xxh3 {
  private static final Hasher64 XXH3 = Hashing.xxh3_64();

  private Xxh3() {}

  static long key(String text) {
    return XXH3.hashBytesToLong(text.getBytes(StandardCharsets.UTF_8));
  }
}
