package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.DType;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.onnx.GraphFailure;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.Slate;
import dev.twinrank.core.internal.rank.Columns;
import dev.twinrank.core.internal.rank.Order;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Replays goldens: section 9 of the contract. */
final class Replay {
  private final Manifest manifest;
  private final RequestReader reader;
  private final GraphSession session;
  private final boolean exact;

  /** Makes a replay that demands every bit, or the bundle's own tolerance. */
  Replay(Manifest manifest, RequestReader reader, GraphSession session, boolean exact) {
    this.manifest = manifest;
    this.reader = reader;
    this.session = session;
    this.exact = exact;
  }

  /** Returns why a golden does not give what it stores, or nothing. */
  Optional<String> difference(Golden golden) {
    Slate slate;
    try {
      slate = reader.read(golden.request);
    } catch (ScoringException e) {
      return e.code() == golden.error
          ? Optional.empty()
          : Optional.of(
              "gave "
                  + e.code().code()
                  + " instead of "
                  + (golden.error == null ? "scores" : golden.error.code())
                  + ": "
                  + e.getMessage());
    }
    if (golden.error != null) {
      return Optional.of("was accepted; expected " + golden.error.code());
    }
    if (slate.candidates() != golden.candidates) {
      return Optional.of(
          "has " + slate.candidates() + " candidates instead of " + golden.candidates);
    }
    if (slate.candidates() == 0) {
      return Optional.empty();
    }
    return inputs(golden, slate).or(() -> outputs(golden, slate));
  }

  private Optional<String> inputs(Golden golden, Slate slate) {
    List<Block> blocks = manifest.plan().packing().blocks();
    for (int i = 0; i < blocks.size(); i++) {
      int at = slate.blocks().get(i).rewind().mismatch(golden.inputs.get(i).rewind());
      if (at >= 0) {
        return Optional.of(
            "packs block '" + blocks.get(i).name() + "' to other bytes, the first at " + at);
      }
    }
    return Optional.empty();
  }

  private Optional<String> outputs(Golden golden, Slate slate) {
    ByteBuffer[] actual;
    try {
      actual = session.run(slate);
    } catch (GraphFailure e) {
      return Optional.of("cannot be run: " + e.getMessage());
    }
    for (int i = 0; i < actual.length; i++) {
      DType dtype = manifest.outputs().get(i).dtype();
      double[] values = Columns.values(actual[i], dtype);
      for (ByteBuffer form : golden.outputs.get(i)) {
        Optional<String> difference =
            values(i, Columns.values(form, dtype), values, manifest.tolerances().get(i));
        if (difference.isPresent()) {
          return difference;
        }
      }
    }
    int last = actual.length - 1;
    DType dtype = manifest.outputs().get(last).dtype();
    return order(
        golden,
        Order.of(Columns.values(actual[last], dtype)),
        Columns.values(golden.outputs.get(last).get(0), dtype));
  }

  private Optional<String> values(int output, double[] expected, double[] actual, double a) {
    for (int i = 0; i < expected.length; i++) {
      // Widening is exact and injective but for NaN, so equal bits widened are equal bits.
      boolean same = Double.doubleToLongBits(expected[i]) == Double.doubleToLongBits(actual[i]);
      if (!same && (exact || !(Math.abs(expected[i] - actual[i]) <= a))) {
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

  private Optional<String> order(Golden golden, Order actual, double[] scores) {
    List<Integer> dropped = new ArrayList<>();
    for (int i = 0; i < actual.droppedSize(); i++) {
      dropped.add(actual.droppedAt(i));
    }
    if (!dropped.equals(golden.dropped)) {
      return Optional.of("drops " + dropped + " instead of " + golden.dropped);
    }
    if (actual.size() != golden.order.size()) {
      return Optional.of(
          "ranks " + actual.size() + " candidates instead of " + golden.order.size());
    }
    double allowed = 2 * manifest.tolerances().get(manifest.tolerances().size() - 1);
    for (int place = 0; place < actual.size(); place++) {
      int expected = golden.order.get(place);
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
