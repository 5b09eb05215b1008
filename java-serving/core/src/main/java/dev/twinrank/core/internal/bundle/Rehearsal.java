package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Head;
import dev.twinrank.core.ModelOptions.WarmUp;
import dev.twinrank.core.Scores;
import dev.twinrank.core.ScoringException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;

/** Sends the goldens' requests the way that callers' requests go, before there are callers. */
public final class Rehearsal {
  private final Path root;
  private final List<Golden> goldens;
  private final Proof proof;
  private final Replay replay;
  private final Journal journal;

  Rehearsal(Path root, List<Golden> goldens, Proof proof, Replay replay, Journal journal) {
    this.root = root;
    this.goldens = goldens;
    this.proof = proof;
    this.replay = replay;
    this.journal = journal;
  }

  /**
   * Scores the goldens again and again, those of few candidates first: they compile the code as
   * well as the large ones, and the limit then cuts off what is slow.
   *
   * @param caller scores a request as callers do
   * @throws dev.twinrank.core.BundleException {@code golden_mismatch} for the first golden that
   *     gave another answer
   */
  public void run(WarmUp warmUp, Function<byte[], Scores> caller) {
    if (warmUp.rounds() == 0) {
      return;
    }
    journal.begin(Journal.WARM_UP);
    int[] order =
        IntStream.range(0, goldens.size())
            .boxed()
            .sorted(Comparator.comparingInt(i -> goldens.get(i).candidates))
            .mapToInt(Integer::intValue)
            .toArray();
    long begin = System.nanoTime();
    long limit = nanos(warmUp);
    Findings found = new Findings(root);
    for (int golden : order) {
      String line = Proof.line(golden);
      for (int i = 0; i < warmUp.rounds() && System.nanoTime() - begin < limit; i++) {
        Optional<String> detail;
        try {
          detail = answer(golden, caller).detail();
        } catch (ScoringException e) {
          throw found.shortage(line, e);
        }
        if (detail.isPresent()) {
          throw found.fatal(
              ErrorCode.GOLDEN_MISMATCH, line, "in the warm-up: it " + detail.get(), null);
        }
      }
    }
    journal.end();
  }

  private Outcome answer(int index, Function<byte[], Scores> caller) {
    Golden golden = goldens.get(index);
    Scores scores;
    try {
      scores = caller.apply(golden.request);
    } catch (ScoringException e) {
      return Replay.refused(golden, e);
    }
    if (golden.error != null) {
      return Replay.accepted(golden);
    }
    if (golden.candidates == 0) {
      return Outcome.PASSED;
    }
    List<Head> heads = scores.heads();
    ByteBuffer[] actual = new ByteBuffer[heads.size() + 1];
    for (int i = 0; i < heads.size(); i++) {
      actual[i] = scores.values(i);
    }
    actual[heads.size()] = scores.scores();
    return replay.compared(golden, actual, proof.attested(index));
  }

  /** A limit of centuries is no limit. */
  private static long nanos(WarmUp warmUp) {
    try {
      return warmUp.limit().toNanos();
    } catch (ArithmeticException e) {
      return Long.MAX_VALUE;
    }
  }
}
