package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.DType;
import dev.twinrank.core.VerificationReport.Difference;
import dev.twinrank.core.internal.rank.Columns;
import dev.twinrank.core.internal.rank.Order;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Compares what a run gave with what it must give: section 9 of the contract. */
final class Comparison {
  private final Manifest manifest;
  private final boolean exact;

  /** Makes a comparison that demands every bit, or the bundle's own tolerance. */
  Comparison(Manifest manifest, boolean exact) {
    this.manifest = manifest;
    this.exact = exact;
  }

  /** Returns the first difference, or nothing. */
  Optional<String> difference(Expectation expectation, ByteBuffer[] actual) {
    int last = manifest.outputs().size() - 1;
    for (int i = 0; i <= last; i++) {
      DType dtype = manifest.outputs().get(i).dtype();
      double[] values = Columns.values(actual[i], dtype);
      for (ByteBuffer form : expectation.outputs().get(i)) {
        Optional<String> difference =
            values(i, Columns.values(form, dtype), values, manifest.tolerances().get(i));
        if (difference.isPresent()) {
          return difference;
        }
      }
    }
    DType dtype = manifest.outputs().get(last).dtype();
    return order(
        expectation,
        Columns.order(actual[last], dtype),
        Columns.values(expectation.outputs().get(last).get(0), dtype));
  }

  /** Returns the outputs with other bits than one of the stored forms, in order. */
  List<Difference> differences(Expectation expectation, ByteBuffer[] actual) {
    List<Difference> differences = new ArrayList<>();
    for (int i = 0; i < manifest.outputs().size(); i++) {
      DType dtype = manifest.outputs().get(i).dtype();
      double[] values = Columns.values(actual[i], dtype);
      List<double[]> forms =
          expectation.outputs().get(i).stream().map(form -> Columns.values(form, dtype)).toList();
      int differing = 0;
      double most = 0;
      for (int candidate = 0; candidate < values.length; candidate++) {
        boolean differs = false;
        for (double[] form : forms) {
          if (!same(form[candidate], values[candidate])) {
            differs = true;
            most = Math.max(most, Math.abs(form[candidate] - values[candidate])); // NaN stays
          }
        }
        differing += differs ? 1 : 0;
      }
      if (differing > 0) {
        differences.add(new Difference(manifest.headName(i), differing, most));
      }
    }
    return differences;
  }

  /** Widening is exact and injective but for NaN, so equal bits widened are equal bits. */
  private static boolean same(double expected, double actual) {
    return Double.doubleToLongBits(expected) == Double.doubleToLongBits(actual);
  }

  private Optional<String> values(int output, double[] expected, double[] actual, double a) {
    for (int i = 0; i < expected.length; i++) {
      if (!same(expected[i], actual[i]) && (exact || !(Math.abs(expected[i] - actual[i]) <= a))) {
        return Optional.of(
            "gives "
                + actual[i]
                + " instead of "
                + expected[i]
                + " in head '"
                + manifest.headName(output)
                + "' of candidate "
                + i
                + (exact ? "" : "; allowed is a difference of " + a));
      }
    }
    return Optional.empty();
  }

  private Optional<String> order(Expectation expectation, Order actual, double[] scores) {
    List<Integer> dropped = new ArrayList<>();
    for (int i = 0; i < actual.droppedSize(); i++) {
      dropped.add(actual.droppedAt(i));
    }
    if (!dropped.equals(expectation.dropped())) {
      return Optional.of("drops " + dropped + " instead of " + expectation.dropped());
    }
    if (actual.size() != expectation.order().size()) {
      return Optional.of(
          "ranks " + actual.size() + " candidates instead of " + expectation.order().size());
    }
    double allowed = 2 * manifest.tolerances().get(manifest.tolerances().size() - 1);
    for (int place = 0; place < actual.size(); place++) {
      int expected = expectation.order().get(place);
      int given = actual.at(place);
      double gap = Math.abs(scores[expected] - scores[given]);
      boolean tied = scores[expected] == scores[given] || gap <= allowed;
      if (expected != given && (exact || !tied)) {
        return Optional.of(
            "has candidate "
                + given
                + " instead of "
                + expected
                + " at place "
                + place
                + ", "
                + gap
                + " apart"
                + (exact ? "" : "; allowed are " + allowed));
      }
    }
    return Optional.empty();
  }
}
