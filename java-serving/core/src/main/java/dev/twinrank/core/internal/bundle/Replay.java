package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.PackedSlate;
import dev.twinrank.core.internal.pack.UnseenOutput;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.ByteBuffer;
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

  /**
   * Replays a golden.
   *
   * @param attested what it must give too, in every bit; or null
   */
  Outcome of(Golden golden, Expectation attested) {
    PackedSlate slate;
    try {
      slate = reader.read(golden.request);
    } catch (ScoringException e) {
      return refused(golden, e);
    }
    if (golden.error == ErrorCode.UNSEEN_VALUE && slate.candidates() > 0) {
      return outputs(golden, slate, attested); // only the graph can tell
    }
    if (golden.error != null) {
      return accepted(golden);
    }
    if (slate.candidates() != golden.candidates) {
      return Outcome.differs(
          "has " + slate.candidates() + " candidates instead of " + golden.candidates);
    }
    if (slate.candidates() == 0) {
      return Outcome.PASSED;
    }
    return inputs(golden, slate)
        .map(Outcome::differs)
        .orElseGet(() -> outputs(golden, slate, attested));
  }

  private Optional<String> inputs(Golden golden, PackedSlate slate) {
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

  private Outcome outputs(Golden golden, PackedSlate slate, Expectation attested) {
    ByteBuffer[] actual;
    try {
      actual = session.run(slate, null);
      checkUnseen(actual);
    } catch (GraphFailure e) {
      return Outcome.differs("cannot be run: " + e.getMessage());
    } catch (ScoringException e) {
      return refused(golden, e);
    }
    return golden.error != null ? accepted(golden) : compared(golden, actual, attested);
  }

  /**
   * Compares what a run gave.
   *
   * @param attested what it must give too, in every bit; or null
   */
  Outcome compared(Golden golden, ByteBuffer[] actual, Expectation attested) {
    Comparison own = new Comparison(manifest, exact);
    Optional<String> difference = own.difference(golden.expected, actual);
    if (attested != null) {
      difference =
          difference.or(
              () ->
                  new Comparison(manifest, true)
                      .difference(attested, actual)
                      .map(detail -> "was attested otherwise: " + detail));
    }
    boolean proved = difference.isEmpty() && (exact || attested != null);
    return proved
        ? Outcome.PASSED
        : new Outcome(
            difference, own.differences(attested == null ? golden.expected : attested, actual));
  }

  private void checkUnseen(ByteBuffer[] actual) {
    int at = manifest.outputs().size();
    for (UnseenOutput unseen : manifest.plan().unseen()) {
      unseen.check(actual[at++]);
    }
  }

  static Outcome accepted(Golden golden) {
    return Outcome.differs("was accepted; expected " + golden.error.code());
  }

  /**
   * Judges a refusal.
   *
   * @throws ScoringException if it is for want of memory
   */
  static Outcome refused(Golden golden, ScoringException e) {
    if (e.code() == ErrorCode.MEMORY_EXHAUSTED) {
      throw e; // that says nothing of the golden
    }
    return e.code() == golden.error
        ? Outcome.PASSED
        : Outcome.differs(
            "gave "
                + e.code().code()
                + " instead of "
                + (golden.error == null ? "scores" : golden.error.code())
                + ": "
                + e.getMessage());
  }
}
