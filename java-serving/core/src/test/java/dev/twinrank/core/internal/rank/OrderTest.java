package dev.twinrank.core.internal.rank;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class OrderTest {
  private static List<Integer> ranked(double... scores) {
    Order order = Order.of(scores);
    return IntStream.range(0, order.size()).map(order::at).boxed().toList();
  }

  private static List<Integer> dropped(double... scores) {
    Order order = Order.of(scores);
    return IntStream.range(0, order.droppedSize()).map(order::droppedAt).boxed().toList();
  }

  @Test
  void ranksHighestFirst() {
    assertEquals(List.of(1, 2, 0), ranked(-1, 3, 0.5));
  }

  @Test
  void keepsTiesInInputOrderAndTakesTheZerosForEqual() {
    assertEquals(List.of(0, 1, 2, 3, 4), ranked(-0.0, 0.0, -0.0, 0.0, 0.0));
    assertEquals(List.of(2, 0, 1, 3), ranked(1, 1, 2, 1));
  }

  @Test
  void ranksInfinitiesAndDropsNaNs() {
    double[] scores = {
      Double.NaN, Double.NEGATIVE_INFINITY, 1, Double.NaN, Double.POSITIVE_INFINITY, -1
    };
    assertEquals(List.of(4, 2, 5, 1), ranked(scores));
    assertEquals(List.of(0, 3), dropped(scores));
  }

  @Test
  void ranksNothingAndOneAndOnlyNaNs() {
    assertEquals(List.of(), ranked());
    assertEquals(List.of(0), ranked(7));
    assertEquals(List.of(), ranked(Double.NaN, Double.NaN));
  }

  @Test
  void agreesWithAStableSortOfTheLibraryAtOddSizes() {
    Random random = new Random(7);
    for (int size : new int[] {2, 3, 5, 7, 8, 9, 16, 17, 33, 101, 1021}) {
      // Few distinct values, so that most are ties.
      double[] scores = random.ints(size, -4, 4).mapToDouble(i -> i / 2.0).toArray();
      List<Integer> expected = new ArrayList<>(IntStream.range(0, size).boxed().toList());
      expected.sort(Comparator.comparingDouble((Integer i) -> scores[i]).reversed());
      assertEquals(expected, ranked(scores));
    }
  }
}
