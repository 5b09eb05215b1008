package dev.twinrank.core.internal.trees;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TreeKernelsTest {
  private static final int ROWS = 1_500;

  /** Scores the rows and asks no kernel for another size than these: a block, its ends, one. */
  private static long[][] bits(TreeKernel kernel, Forest forest, double[][] rows, int count) {
    double[][] scores = new double[forest.targets][count + 3];
    for (double[] each : scores) {
      Arrays.fill(each, Double.NaN);
    }
    kernel.score(rows, count, scores, kernel.scratch());
    long[][] bits = new long[scores.length][];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Arrays.stream(scores[i]).mapToLong(Double::doubleToRawLongBits).toArray();
    }
    return bits;
  }

  @ParameterizedTest
  @CsvSource({
    // trees, leaves, columns, categories, targets, float sums
    "60, 31, 9, 2, 1, false",
    "60, 32, 9, 0, 1, true",
    "40, 33, 9, 3, 3, false",
    "40, 64, 5, 1, 2, true",
    "30, 65, 5, 2, 1, false",
    "20, 255, 7, 1, 1, true",
    "9, 700, 7, 1, 2, false",
    "4, 1024, 7, 1, 1, false",
    "3, 1100, 7, 1, 1, false",
    "3, 1, 1, 0, 1, false",
    "17, 2, 2, 2, 1, false",
    "400, 16, 4, 1, 1, false",
  })
  void everyKernelGivesTheBitsOfThePlainOne(
      int trees, int leaves, int columns, int categories, int targets, boolean floats) {
    for (long seed = 1; seed <= 3; seed++) {
      Forest forest = Forests.draw(seed, trees, leaves, columns, categories, targets, floats);
      double[][] rows = Forests.rows(forest, ROWS, seed);
      TreeKernel plain = new FlatKernel(forest);
      for (int count : new int[] {1, 2, 7, 255, 256, 257, ROWS}) {
        long[][] expected = bits(plain, forest, rows, count);
        for (TreeKernel kernel : TreeKernels.of(forest)) {
          assertArrayEquals(
              expected, bits(kernel, forest, rows, count), kernel.name() + " for " + count);
        }
      }
    }
  }

  @Test
  void aScratchIsUsedAgainForFewerAndForMoreRows() {
    Forest forest = Forests.draw(5, 20, 40, 6, 2, 1, false);
    double[][] rows = Forests.rows(forest, ROWS, 5);
    for (TreeKernel kernel : TreeKernels.of(forest)) {
      TreeKernel.Scratch scratch = kernel.scratch();
      for (int count : new int[] {3, ROWS, 1, 300, 1}) {
        double[][] scores = new double[1][count];
        kernel.score(rows, count, scores, scratch);
        double[][] expected = new double[1][count];
        new FlatKernel(forest).score(rows, count, expected, kernel.scratch());
        assertArrayEquals(expected[0], scores[0], kernel.name());
      }
    }
  }

  /** By hand: thresholds 1 and infinity, every answer written down. */
  @Test
  void thePlainKernelAnswersAsTheOperatorSays() {
    int[] modes = {Forest.LEQ, Forest.LT, Forest.GTE, Forest.GT};
    double[] values = {
      Math.nextDown(1.0), 1.0, Math.nextUp(1.0), Double.NaN, Double.POSITIVE_INFINITY
    };
    boolean[][] atOne = {
      {true, true, false, true, false},
      {true, false, false, true, false},
      {false, true, true, true, true},
      {false, false, true, true, true},
    };
    boolean[][] atInfinity = {
      {true, true, true, true, true},
      {true, true, true, true, false},
      {false, false, false, true, true},
      {false, false, false, true, false},
    };
    for (int mode : modes) {
      assertArrayEquals(answers(atOne[mode]), scores(mode, 1.0, values), "mode " + mode);
      assertArrayEquals(
          answers(atInfinity[mode]),
          scores(mode, Double.POSITIVE_INFINITY, values),
          "infinity, mode " + mode);
    }
  }

  private static double[] answers(boolean[] each) {
    double[] answers = new double[each.length];
    for (int i = 0; i < each.length; i++) {
      answers[i] = each[i] ? 10 : 20;
    }
    return answers;
  }

  private static double[] scores(int mode, double threshold, double[] values) {
    Forest forest = stump(mode, threshold, true);
    double[][] scores = new double[1][values.length];
    for (TreeKernel kernel : TreeKernels.of(forest)) {
      double[][] own = new double[1][values.length];
      kernel.score(new double[][] {values}, values.length, own, kernel.scratch());
      scores = own;
    }
    return scores[0];
  }

  private static Forest stump(int mode, double threshold, boolean missingTrue) {
    return new Forest(
        false,
        1,
        1,
        new int[] {0},
        new int[] {0},
        new int[] {0},
        new byte[] {(byte) mode},
        new double[] {threshold},
        new int[] {~0},
        new int[] {~1},
        new boolean[] {missingTrue},
        new int[] {0, 0},
        new double[0],
        new double[] {10, 20});
  }

  @Test
  void kernelsAreThoseThatTakeTheForest() {
    assertEquals(List.of("table", "bitvector", "packed", "flat"), own(32));
    assertEquals(List.of("bitvector", "packed", "flat"), own(33));
    assertEquals(List.of("bitvector", "packed", "flat"), own(1024));
    assertEquals(List.of("packed", "flat"), own(1025));
    assertEquals(
        List.of("bitvector", "table", "packed", "flat"),
        own(stump(Forest.LEQ, 1, true)),
        "a forest without sets");
  }

  /** Those of a forest with sets. */
  private static List<String> own(int leaves) {
    return own(Forests.draw(1, 10, leaves, 4, 1, 1, false));
  }

  /** Another artifact on the path may bring more. */
  private static List<String> own(Forest forest) {
    return TreeKernels.of(forest).stream()
        .filter(each -> each.getClass().getPackage() == TreeKernels.class.getPackage())
        .map(TreeKernel::name)
        .collect(Collectors.toList());
  }

  @Test
  void aKernelIsChosenForOneRowAndForMany() {
    Forest forest = Forests.draw(1, 10, 20, 4, 1, 1, false);
    List<String> names =
        TreeKernels.of(forest).stream().map(TreeKernel::name).collect(Collectors.toList());
    TreeKernels.Choice choice = TreeKernels.choose(forest);
    assertTrue(names.contains(choice.alone().name()) && names.contains(choice.block().name()));
  }

  @Test
  void whatIsNoForestIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> stump(Forest.LEQ, Double.NaN, true));
    assertThrows(IllegalArgumentException.class, () -> stump(4, 0, true));
    int[] circle = {0};
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new Forest(
                false,
                1,
                1,
                new int[] {0},
                new int[] {0},
                new int[] {0},
                new byte[] {Forest.LEQ},
                new double[] {0},
                circle,
                new int[] {~0},
                new boolean[] {true},
                new int[] {0, 0},
                new double[0],
                new double[] {1}));
  }
}
