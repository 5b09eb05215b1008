package dev.twinrank.life;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Model;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Tiny;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A process whose callers run out of memory while they rank: the heap or, where that is larger, the
 * direct memory. Whoever does says so; then all is well again.
 */
final class Starver {
  private static final int CALLERS = 3;
  private static final AtomicInteger STARVED = new AtomicInteger();
  private static final AtomicInteger ANSWERED = new AtomicInteger();

  private Starver() {}

  public static void main(String[] args) throws InterruptedException {
    Path bundle = Bundles.path(Path.of(args[0]), 1);
    int rounds = Integer.parseInt(args[1]);
    Child.endWithTheParent(() -> {});
    byte[] large = Tiny.request(Bundles.MAX_CANDIDATES);
    try (Model model = Model.open(bundle, Tiny.BY_REFERENCE)) {
      List<Thread> callers = new ArrayList<>();
      for (int i = 0; i < CALLERS; i++) {
        callers.add(new Thread(() -> starve(model, large, rounds)));
      }
      callers.forEach(Thread::start);
      for (Thread caller : callers) {
        caller.join();
      }
      if (!right(model)) {
        Victim.fail("after", new IllegalStateException("the scores are wrong"));
      }
    }
    System.out.println("starved " + STARVED.get() + ", answered " + ANSWERED.get());
  }

  private static void starve(Model model, byte[] large, int rounds) {
    List<Ranking> held = new ArrayList<>();
    for (int i = 0; i < rounds; i++) {
      try {
        held.add(model.rank(model.parse(large)));
        ANSWERED.incrementAndGet();
        if (held.get(0).entries().size() != Bundles.MAX_CANDIDATES) {
          throw new IllegalStateException("an answer has lost candidates");
        }
      } catch (OutOfMemoryError e) {
        held.clear();
        STARVED.incrementAndGet();
      } catch (ScoringException e) {
        if (e.code() != ErrorCode.MEMORY_EXHAUSTED) {
          Victim.fail("caller", e);
        }
        held.clear();
        STARVED.incrementAndGet();
      } catch (Throwable e) {
        Victim.fail("caller", e);
      }
      small(model);
    }
  }

  /** The others may still hold everything, but an answer that comes is right. */
  private static void small(Model model) {
    try {
      if (!right(model)) {
        Victim.fail("small", new IllegalStateException("the scores are wrong"));
      }
    } catch (OutOfMemoryError e) {
      STARVED.incrementAndGet();
    } catch (ScoringException e) {
      if (e.code() != ErrorCode.MEMORY_EXHAUSTED) {
        Victim.fail("small", e);
      }
    }
  }

  private static boolean right(Model model) {
    return Arrays.equals(
        Bundles.expected(1), Bundles.bits(model.rank(model.parse(Bundles.request())).scores()));
  }
}
