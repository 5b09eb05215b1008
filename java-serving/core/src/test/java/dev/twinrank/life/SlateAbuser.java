package dev.twinrank.life;

import dev.twinrank.core.Cancellation;
import dev.twinrank.core.Model;
import dev.twinrank.core.Scores;
import dev.twinrank.core.Slate;
import dev.twinrank.core.Tiny;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A process that does with slates what nobody should: a caller that has lost its patience closes,
 * resets or scores a slate that another thread is scoring, or closes the model under both, and goes
 * on with the next slate. Whatever becomes of the abused one, its exceptions are Java's, and the
 * answers of a slate that nobody abuses are right.
 */
final class SlateAbuser {
  private static final int CANDIDATES = 2_000;
  private static final AtomicLong SCORED = new AtomicLong();
  private static final AtomicLong REFUSED = new AtomicLong();

  private SlateAbuser() {}

  public static void main(String[] args) throws Exception {
    Path bundle = Bundles.path(Path.of(args[0]), 1);
    int rounds = Integer.parseInt(args[1]);
    Child.endWithTheParent(() -> {});
    ExecutorService other = Executors.newSingleThreadExecutor();
    Model model = Model.open(bundle, Tiny.BY_REFERENCE);
    for (int round = 0; round < rounds; round++) {
      Model abused = model;
      Slate slate = abused.slate(CANDIDATES);
      fill(abused, slate, CANDIDATES);
      Cancellation cancellation = round % 2 == 0 ? null : Cancellation.create();
      Future<?> scoring = other.submit(() -> abuse(() -> score(abused, slate, cancellation)));
      TimeUnit.MICROSECONDS.sleep(round * 37L % 2500); // anywhere in the call of the other thread
      int fewer = 1 + round % 50;
      switch (round % 5) {
        case 0 -> slate.close();
        case 1 -> cancel(cancellation);
        case 2 -> abuse(() -> slate.reset(fewer));
        case 3 -> abuse(() -> score(abused, slate, null));
        default -> abused.close();
      }
      slate.close();
      slate.close();
      if (round % 5 == 4) {
        model = Model.open(bundle, Tiny.BY_REFERENCE);
      }
      Model next = model;
      try (Slate beside = next.slate(fewer)) {
        // The other thread may still write where it should not; what this one gives is not told.
        abuse(() -> fill(next, beside, fewer));
        abuse(() -> score(next, beside, null));
      }
      scoring.get();
      abuse(() -> score(abused, slate, null)); // it is closed
      decent(model, fewer);
    }
    model.close();
    other.shutdown();
    System.out.println("abused " + rounds + ", scored " + SCORED + ", refused " + REFUSED);
  }

  private static void cancel(Cancellation cancellation) {
    if (cancellation != null) {
      cancellation.cancel();
    }
  }

  private static void fill(Model model, Slate slate, int candidates) {
    long[] stock = new long[candidates];
    double[] quality = new double[candidates];
    for (int i = 0; i < candidates; i++) {
      stock[i] = i % 2;
      quality[i] = i;
    }
    slate.set(model.schema().integer("when"), 0);
    slate.set(model.schema().number("budget"), 0.0);
    slate.column(model.schema().integer("stock"), stock);
    slate.column(model.schema().number("quality"), quality);
    slate.column(model.schema().number("margin"), quality);
  }

  private static void score(Model model, Slate slate, Cancellation cancellation) {
    if (cancellation == null) {
      model.scores(slate);
    } else {
      model.rank(slate, 10, cancellation);
    }
    SCORED.incrementAndGet();
  }

  /** A slate of one thread: the score is the sum of stock and quality. */
  private static void decent(Model model, int candidates) {
    try (Slate slate = model.slate(candidates)) {
      fill(model, slate, candidates);
      Scores scores = model.scores(slate);
      for (int i = 0; i < candidates; i++) {
        if (scores.score(i) != i % 2 + i) {
          Victim.fail("decent", new IllegalStateException("candidate " + i + " of another slate"));
        }
      }
    }
  }

  /** Does what may be refused. */
  private static void abuse(Runnable action) {
    try {
      action.run();
    } catch (RuntimeException e) {
      REFUSED.incrementAndGet();
    } catch (Throwable e) {
      Victim.fail("abuse", e);
    }
  }
}
