package dev.twinrank.benchmarks.micro;

import com.dynatrace.hash4j.hashing.Hasher64;
import com.dynatrace.hash4j.hashing.Hashing;
import dev.twinrank.core.Keys;
import dev.twinrank.core.internal.pack.KeyEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.BenchmarkParams;

/**
 * Keys of distinct strings, each way beside {@code getBytes(UTF_8)} and its hash.
 *
 * <p>All ways take turns on the same strings within each invocation, so that the counters are
 * paired ratios; alone, a way would have its branches predicted by heart.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(3)
public class KeyBenchmark {
  private static final int STRINGS = 4096;
  private static final double MEAN_LENGTH = 11.7;
  private static final Hasher64 XXH3 = Hashing.xxh3_64();

  /** What the strings consist of; "tenth" is ASCII but for every tenth string. */
  @Param({"ascii", "tenth", "latin1", "cjk", "emoji"})
  public String mix;

  private final KeyEncoder encoder = new KeyEncoder();
  private final long[] keys = new long[STRINGS];
  private final long[] kept = new long[STRINGS];
  private final Long[] boxed = new Long[STRINGS];
  private String[] strings;

  /**
   * The medians of an iteration's ratios to {@code getBytes(UTF_8)} and hash.
   *
   * <p>JMH adds such counters up over all iterations, so that each gives its share of their mean.
   */
  @AuxCounters(AuxCounters.Type.EVENTS)
  @State(Scope.Thread)
  public static class Ratios {
    private static final int WAYS = 6;

    private final double[][] nanos = new double[WAYS][1 << 16];
    private int rounds;
    private double share;

    /** Forgets the iteration before. */
    @Setup(Level.Iteration)
    public void reset(BenchmarkParams run) {
      rounds = 0;
      share = 1.0 / (run.getForks() * run.getMeasurement().getCount());
    }

    /** The encoder that packs slates. */
    public double encoder() {
      return ratio(1);
    }

    /** {@link Keys#of(String)}. */
    public double one() {
      return ratio(2);
    }

    /** {@link Keys#of(String[], long[])}. */
    public double many() {
      return ratio(3);
    }

    /** A column of keys that the caller kept. */
    public double keptColumn() {
      return ratio(4);
    }

    /** Keys that the caller kept beside each item. */
    public double keptBeside() {
      return ratio(5);
    }

    private double ratio(int way) {
      double[] ratios = new double[rounds];
      for (int i = 0; i < rounds; i++) {
        ratios[i] = nanos[way][i] / nanos[0][i];
      }
      Arrays.sort(ratios);
      return share * ratios[rounds / 2];
    }
  }

  /** Makes the strings, and checks that all ways give the same keys. */
  @Setup
  public void strings() {
    strings = strings(mix);
    plain();
    System.arraycopy(keys, 0, kept, 0, STRINGS);
    Arrays.setAll(boxed, i -> kept[i]);
    for (int way = 1; way < Ratios.WAYS; way++) {
      Arrays.fill(keys, 0);
      make(way);
      if (!Arrays.equals(kept, keys)) {
        throw new IllegalStateException("way " + way + " gives other keys");
      }
    }
  }

  private static String[] strings(String mix) {
    Random random = new Random(7);
    String[] strings = new String[STRINGS];
    for (int i = 0; i < STRINGS; i++) {
      int length = (int) Math.max(1, Math.round(MEAN_LENGTH + 4.5 * random.nextGaussian()));
      boolean other = !mix.equals("ascii") && (!mix.equals("tenth") || i % 10 == 0);
      StringBuilder text = new StringBuilder();
      while (text.length() < length) {
        text.appendCodePoint(other ? point(mix, random) : 'a' + random.nextInt(26));
      }
      strings[i] = text.toString();
    }
    return strings;
  }

  private static int point(String mix, Random random) {
    return switch (mix) {
      case "latin1" -> random.nextInt(3) == 0 ? 0xE0 + random.nextInt(0x1F) : 'a';
      case "emoji" -> random.nextInt(2) == 0 ? 0x1F600 + random.nextInt(0x40) : 'a';
      default -> 0x4E00 + random.nextInt(0x1000);
    };
  }

  /** Makes the keys of all strings each way. */
  @Benchmark
  public long[] all(Ratios ratios) {
    int round = ratios.rounds++;
    for (int turn = 0; turn < Ratios.WAYS; turn++) {
      int way = (turn + round) % Ratios.WAYS;
      long begin = System.nanoTime();
      make(way);
      ratios.nanos[way][round] = System.nanoTime() - begin;
    }
    return keys;
  }

  private void make(int way) {
    switch (way) {
      case 0 -> plain();
      case 1 -> encoder();
      case 2 -> one();
      case 3 -> Keys.of(strings, keys);
      case 4 -> System.arraycopy(kept, 0, keys, 0, STRINGS);
      default -> beside();
    }
  }

  private void plain() {
    for (int i = 0; i < STRINGS; i++) {
      keys[i] = XXH3.hashBytesToLong(strings[i].getBytes(StandardCharsets.UTF_8));
    }
  }

  private void encoder() {
    for (int i = 0; i < STRINGS; i++) {
      if (!encoder.encode(strings[i])) {
        throw new IllegalStateException(strings[i]);
      }
      keys[i] = encoder.key();
    }
  }

  private void one() {
    for (int i = 0; i < STRINGS; i++) {
      keys[i] = Keys.of(strings[i]);
    }
  }

  private void beside() {
    for (int i = 0; i < STRINGS; i++) {
      keys[i] = boxed[i];
    }
  }
}
