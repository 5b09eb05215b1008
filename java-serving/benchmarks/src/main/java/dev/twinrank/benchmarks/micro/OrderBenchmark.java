package dev.twinrank.benchmarks.micro;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.rank.Order;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** The order of a slate, of scores that change from call to call. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(2)
public class OrderBenchmark {
  private static final int SLATES = 64;

  /** How many candidates there are. */
  @Param({"200", "1000", "10000"})
  public int candidates;

  /** How many are wanted. */
  @Param({"10", "100", "10000"})
  public int limit;

  private final byte[][] narrow = new byte[SLATES][];
  private final byte[][] wide = new byte[SLATES][];
  private int next;

  /** Makes the scores, which are probabilities. */
  @Setup
  public void scores() {
    Random random = new Random(3);
    for (int slate = 0; slate < SLATES; slate++) {
      narrow[slate] = new byte[candidates * Float.BYTES];
      wide[slate] = new byte[candidates * Double.BYTES];
      ByteBuffer floats = ByteBuffer.wrap(narrow[slate]).order(ByteOrder.LITTLE_ENDIAN);
      ByteBuffer doubles = ByteBuffer.wrap(wide[slate]).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < candidates; i++) {
        double score = 1 / (1 + Math.exp(-random.nextGaussian()));
        floats.putFloat((float) score);
        doubles.putDouble(score);
      }
    }
  }

  /** Of float32. */
  @Benchmark
  public Order narrow() {
    next = (next + 1) % SLATES;
    return Order.of(narrow[next], 0, candidates, DType.FLOAT32, limit);
  }

  /** Of float64. */
  @Benchmark
  public Order wide() {
    next = (next + 1) % SLATES;
    return Order.of(wide[next], 0, candidates, DType.FLOAT64, limit);
  }
}
