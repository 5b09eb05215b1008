package dev.twinrank.benchmarks.micro;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What a key costs as most would make it: the bytes of the string, then their hash. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class GetBytesKey {
  private static final int STRINGS = 4096;

  private final Hasher64 hasher = Hashing.xxh3_64();
  private String[] strings;
  private int next;

  /** Makes the benchmark's strings: 7 to 16 characters, about 11.7 on average. */
  @Setup
  public void strings() {
    Random random = new Random(7);
    strings = new String[STRINGS];
    for (int i = 0; i < STRINGS; i++) {
      strings[i] = "item-" + Long.toString(1L << (1 + random.nextInt(38)), 10);
    }
  }

  /** One key. */
  @Benchmark
  public long key() {
    next = (next + 1) & (STRINGS - 1);
    return hasher.hashBytesToLong(strings[next].getBytes(StandardCharsets.UTF_8));
  }
}
