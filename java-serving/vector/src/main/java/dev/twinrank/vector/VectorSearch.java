package dev.twinrank.vector;

import dev.twinrank.core.internal.trees.Bitvectors;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Ranks the values of several rows at once by comparing them with every cut, which is faster than
 * searching where there are few. Thread-safe.
 */
final class VectorSearch implements Bitvectors.Search {
  static final Bitvectors.Search LINEAR = new VectorSearch();

  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Long> LONGS = LongVector.SPECIES_PREFERRED;
  private static final int LANES = DOUBLES.length();
  private static final int MOST_CUTS = 8 * LANES;
  private static final VectorSpecies<Integer> INTS =
      VectorSpecies.of(int.class, VectorShape.forBitSize(Integer.SIZE * LANES));

  private VectorSearch() {}

  @Override
  public boolean rank(double[] cuts, double[] values, int from, int rows, int[] ranks) {
    if (cuts.length > MOST_CUTS) {
      return false;
    }
    int row = 0;
    for (; row + 4 * LANES <= rows; row += 4 * LANES) {
      four(cuts, values, from + row, ranks, row);
    }
    for (; row < rows; row += LANES) {
      one(cuts, values, from + row, ranks, row, DOUBLES.indexInRange(row, rows));
    }
    return true;
  }

  private static void four(double[] cuts, double[] values, int from, int[] ranks, int row) {
    DoubleVector a = DoubleVector.fromArray(DOUBLES, values, from);
    DoubleVector b = DoubleVector.fromArray(DOUBLES, values, from + LANES);
    DoubleVector c = DoubleVector.fromArray(DOUBLES, values, from + 2 * LANES);
    DoubleVector d = DoubleVector.fromArray(DOUBLES, values, from + 3 * LANES);
    LongVector p = LongVector.zero(LONGS);
    LongVector q = p;
    LongVector r = p;
    LongVector s = p;
    for (double cut : cuts) {
      p = p.add(1, a.compare(VectorOperators.GE, cut).cast(LONGS));
      q = q.add(1, b.compare(VectorOperators.GE, cut).cast(LONGS));
      r = r.add(1, c.compare(VectorOperators.GE, cut).cast(LONGS));
      s = s.add(1, d.compare(VectorOperators.GE, cut).cast(LONGS));
    }
    int missing = cuts.length + 1;
    p.blend(missing, a.test(VectorOperators.IS_NAN).cast(LONGS))
        .convertShape(VectorOperators.L2I, INTS, 0)
        .reinterpretAsInts()
        .intoArray(ranks, row);
    q.blend(missing, b.test(VectorOperators.IS_NAN).cast(LONGS))
        .convertShape(VectorOperators.L2I, INTS, 0)
        .reinterpretAsInts()
        .intoArray(ranks, row + LANES);
    r.blend(missing, c.test(VectorOperators.IS_NAN).cast(LONGS))
        .convertShape(VectorOperators.L2I, INTS, 0)
        .reinterpretAsInts()
        .intoArray(ranks, row + 2 * LANES);
    s.blend(missing, d.test(VectorOperators.IS_NAN).cast(LONGS))
        .convertShape(VectorOperators.L2I, INTS, 0)
        .reinterpretAsInts()
        .intoArray(ranks, row + 3 * LANES);
  }

  private static void one(
      double[] cuts, double[] values, int from, int[] ranks, int row, VectorMask<Double> there) {
    DoubleVector a = DoubleVector.fromArray(DOUBLES, values, from, there);
    LongVector p = LongVector.zero(LONGS);
    for (double cut : cuts) {
      p = p.add(1, a.compare(VectorOperators.GE, cut).cast(LONGS));
    }
    // Beyond the last row the ranks are those of 0, which no one reads.
    p.blend(cuts.length + 1, a.test(VectorOperators.IS_NAN).cast(LONGS))
        .convertShape(VectorOperators.L2I, INTS, 0)
        .reinterpretAsInts()
        .intoArray(ranks, row);
  }
}
