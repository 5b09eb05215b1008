package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Head;
import dev.twinrank.core.ModelOptions.WarmUp;
import dev.twinrank.core.Scores;
import dev.twinrank.core.ScoringException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Sends the goldens' requests the ways that callers' requests go, before there are callers. */
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
   * @param slates returns what scores a sound request as a slate, if it can be one
   * @throws dev.twinrank.core.BundleException {@code golden_mismatch} for the first golden that
   *     gave another answer
   */
  public void run(
      WarmUp warmUp,
      Function<byte[], Scores> caller,
      Function<byte[], Optional<Supplier<Scores>>> slates) {
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
    for (int index : order) {
      Golden golden = goldens.get(index);
      List<Supplier<Scores>> ways = new ArrayList<>(List.of(() -> caller.apply(golden.request)));
      try {
        for (int i = 0; i < warmUp.rounds() && System.nanoTime() - begin < limit; i++) {
          for (Supplier<Scores> way : ways) {
            if (System.nanoTime() - begin < limit) {
              require(found, index, answer(index, way));
            }
          }
          if (i == 0 && golden.error == null && System.nanoTime() - begin < limit) {
            // The first round has shown that the request is sound.
            slates.apply(golden.request).ifPresent(ways::add);
          }
        }
      } catch (ScoringException e) {
        throw found.shortage(Proof.line(index), e);
      }
    }
    journal.end();
  }

  private static void require(Findings found, int index, Outcome outcome) {
    if (outcome.detail().isPresent()) {
      throw found.fatal(
          ErrorCode.GOLDEN_MISMATCH,
          Proof.line(index),
          "in the warm-up: it " + outcome.detail().get(),
          null);
    }
  }

  private Outcome answer(int index, Supplier<Scores> way) {
    Golden golden = goldens.get(index);
    Scores scores;
    try {
      scores = way.get();
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
