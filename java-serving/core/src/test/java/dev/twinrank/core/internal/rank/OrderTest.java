package dev.twinrank.core.internal.rank;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.twinrank.core.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class OrderTest {
  private static final int ALL = Integer.MAX_VALUE;

  /** The same scores as float32 and as float64, after three bytes that are none of them. */
  private static List<Order> orders(int limit, double... scores) {
    ByteBuffer narrow =
        ByteBuffer.allocate(3 + scores.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer wide =
        ByteBuffer.allocate(3 + scores.length * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    narrow.position(3);
    wide.position(3);
    for (double score : scores) {
      narrow.putFloat((float) score);
      wide.putDouble(score);
    }
    return List.of(
        Order.of(narrow.array(), 3, scores.length, DType.FLOAT32, limit),
        Order.of(wide.array(), 3, scores.length, DType.FLOAT64, limit));
  }

  private static List<Integer> ranked(Order order) {
    return IntStream.range(0, order.size()).map(order::at).boxed().toList();
  }

  private static List<Integer> dropped(Order order) {
    return IntStream.range(0, order.droppedSize()).map(order::droppedAt).boxed().toList();
  }

  private static void check(
      List<Integer> ranked, List<Integer> dropped, int limit, double... scores) {
    for (Order order : orders(limit, scores)) {
      assertEquals(ranked, ranked(order));
      assertEquals(dropped, dropped(order));
    }
  }

  @Test
  void ranksHighestFirst() {
    check(List.of(1, 2, 0), List.of(), ALL, -1, 3, 0.5);
    check(List.of(1, 2), List.of(), 2, -1, 3, 0.5);
  }

  @Test
  void keepsTiesInInputOrderAndTakesTheZerosForEqual() {
    check(List.of(0, 1, 2, 3, 4), List.of(), ALL, -0.0, 0.0, -0.0, 0.0, 0.0);
    check(List.of(2, 0, 1, 3), List.of(), ALL, 1, 1, 2, 1);
    check(List.of(2, 0), List.of(), 2, 1, 1, 2, 1);
  }

  @Test
  void ranksInfinitiesAndDropsNaNs() {
    double[] scores = {
      Double.NaN, Double.NEGATIVE_INFINITY, 1, Double.NaN, Double.POSITIVE_INFINITY, -1
    };
    check(List.of(4, 2, 5, 1), List.of(0, 3), ALL, scores);
    check(List.of(4, 2, 5, 1), List.of(0, 3), 4, scores);
    check(List.of(4), List.of(0, 3), 1, scores);
    check(List.of(), List.of(0, 3), 0, scores);
  }

  @Test
  void dropsNaNsOfEveryPayloadAndSign() {
    ByteBuffer scores = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    scores.putInt(0xFFC00001).putInt(0x7F800001).putFloat(-1).putInt(0xFFFFFFFF);
    Order order = Order.of(scores.array(), 0, 4, DType.FLOAT32, ALL);
    assertEquals(List.of(2), ranked(order));
    assertEquals(List.of(0, 1, 3), dropped(order));
  }

  @Test
  void ranksNothingAndOneAndOnlyNaNs() {
    check(List.of(), List.of(), ALL);
    check(List.of(), List.of(), 0);
    check(List.of(0), List.of(), ALL, 7);
    check(List.of(), List.of(), 0, 7);
    check(List.of(), List.of(0, 1), ALL, Double.NaN, Double.NaN);
    check(List.of(), List.of(0, 1), 1, Double.NaN, Double.NaN);
  }

  @Test
  void float64IsNotNarrowed() {
    double close = Math.nextUp(1.0);
    byte[] scores =
        ByteBuffer.allocate(24)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putDouble(1)
            .putDouble(close)
            .putDouble(1)
            .array();
    assertEquals(List.of(1, 0, 2), ranked(Order.of(scores, 0, 3, DType.FLOAT64, ALL)));
  }

  @Test
  void agreesWithAStableSortOfTheLibraryCutAtAnyLimit() {
    Random random = new Random(7);
    double[] odd = {Double.NaN, -0.0, 0.0, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY};
    for (int round = 0; round < 3000; round++) {
      int size = round % 100 == 0 ? 2000 + random.nextInt(9000) : random.nextInt(400);
      // From few distinct values, so that most are ties, to hardly any tie; rising or not.
      int values = 1 + random.nextInt(round % 3 == 0 ? 4 : 1000);
      boolean rising = round % 7 == 0;
      double[] scores = new double[size];
      for (int i = 0; i < size; i++) {
        scores[i] =
            random.nextInt(50) == 0
                ? odd[random.nextInt(odd.length)]
                : (float) ((rising ? i : random.nextInt(values)) - values / 2) / 8;
      }
      List<Integer> dropped =
          IntStream.range(0, size).filter(i -> Double.isNaN(scores[i])).boxed().toList();
      List<Integer> expected =
          new ArrayList<>(
              IntStream.range(0, size).filter(i -> !Double.isNaN(scores[i])).boxed().toList());
      // Adding zero makes +0 of −0, which the comparator would part.
      expected.sort(Comparator.comparingDouble((Integer i) -> scores[i] + 0.0).reversed());
      int limit = random.nextInt(4) == 0 ? ALL : random.nextInt(random.nextBoolean() ? 20 : 300);
      check(expected.subList(0, Math.min(limit, expected.size())), dropped, limit, scores);
    }
  }
}
