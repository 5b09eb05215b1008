package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class MemoryBudgetTest {
  private static final long PLENTY = 1L << 30;
  private static final int MOST = 20;
  private static final int CALLERS = 4;
  private static final int CALLS = 200;

  private static Model open(MemoryBudget budget) {
    return Model.open(Tiny.path(), Versions.options().memory(budget).build());
  }

  private static Model openPlain() {
    return Model.open(Tiny.path(), Versions.OPTIONS);
  }

  /** Returns what a model takes that has scored only its goldens. */
  private static long taken() {
    MemoryBudget budget = MemoryBudget.of(PLENTY);
    try (Model model = open(budget)) {
      assertEquals(model.maxCandidates(), MOST);
      return budget.used();
    }
  }

  @Test
  void aBudgetIsPositive() {
    assertThrows(IllegalArgumentException.class, () -> MemoryBudget.of(0));
    assertThrows(IllegalArgumentException.class, () -> MemoryBudget.of(-1));
  }

  @Test
  void everyModelIsChargedAndClosingGivesEverythingBack() {
    MemoryBudget budget = MemoryBudget.of(PLENTY);
    assertEquals(0, budget.used());
    try (Model one = open(budget);
        Model two = open(budget);
        Model free = openPlain()) {
      assertEquals(2 * taken(), budget.used());
      assertEquals(List.of(budget.used()), List.copyOf(budget.reservations().values()));
      assertTrue(budget.toString().contains("tiny"), budget.toString());
      one.score(one.parse(Tiny.request(MOST)));
      two.score(two.parse(Tiny.request(1)));
      free.score(free.parse(Tiny.request(1)));
    }
    assertEquals(0, budget.used());
    assertEquals(0, budget.reservations().size());
    assertEquals(PLENTY, budget.limit());
  }

  @Test
  void aModelThatDoesNotFitIsRefusedWithWhatItNeedsAndWhoHasTheRest() {
    MemoryBudget budget = MemoryBudget.of(2 * taken() - 1);
    try (Model one = open(budget)) {
      long before = budget.used();
      BundleException e = assertThrows(BundleException.class, () -> open(budget));
      assertEquals(ErrorCode.MEMORY_BUDGET_EXCEEDED, e.code());
      assertTrue(
          e.getMessage().contains(budget.used() + " of " + budget.limit() + " are taken")
              && e.getMessage().contains(Tiny.path().toString())
              && e.getMessage().contains("unload a version"),
          e.getMessage());
      assertTrue(budget.used() <= before);
      one.score(one.parse(Tiny.request(MOST)));
    }
    assertEquals(0, budget.used());
  }

  @Test
  void aModelWhoseGoldensDoNotFitIsRefusedAndGivesEverythingBack() {
    MemoryBudget smallest = MemoryBudget.of(PLENTY);
    Model smallestModel = open(smallest);
    long session = smallest.used();
    smallestModel.close();
    int refused = 0;
    for (long limit = session; limit > session - 4096; limit -= 512) {
      MemoryBudget budget = MemoryBudget.of(limit);
      try {
        open(budget).close();
      } catch (BundleException e) {
        assertEquals(ErrorCode.MEMORY_BUDGET_EXCEEDED, e.code());
        refused++;
      }
      assertEquals(0, budget.used());
    }
    assertTrue(refused > 0);
  }

  @Test
  void aSlateThatDoesNotFitIsRefusedAndTheModelGoesOn() {
    MemoryBudget budget = MemoryBudget.of(tight());
    try (Model model = open(budget)) {
      List<Slate> held = new ArrayList<>();
      ScoringException e =
          assertThrows(
              ScoringException.class,
              () -> {
                while (true) {
                  held.add(model.slate(MOST));
                }
              });
      assertEquals(ErrorCode.MEMORY_EXHAUSTED, e.code());
      assertTrue(
          e.getMessage().startsWith("a slate of 20 candidates needs ")
              && e.getMessage().contains(budget.used() + " of " + budget.limit() + " are taken"),
          e.getMessage());
      assertTrue(!held.isEmpty() && budget.used() <= budget.limit());

      held.remove(0).close();

      model.slate(MOST).close();
      held.forEach(Slate::close);
      assertEquals(MOST, model.score(model.parse(Tiny.request(MOST))).candidates());
    }
    assertEquals(0, budget.used());
  }

  /** Room to load the model, which is more than it keeps. */
  private static long tight() {
    long limit = taken();
    while (true) {
      try {
        open(MemoryBudget.of(limit)).close();
        return limit;
      } catch (BundleException e) {
        limit += 1024;
      }
    }
  }

  @Test
  void idleMemoryOfAnotherModelIsDroppedBeforeASlateIsRefused() {
    MemoryBudget budget = MemoryBudget.of(taken() + tight() + 32_768);
    try (Model idle = open(budget);
        Model busy = open(budget)) {
      List<Slate> held = new ArrayList<>();
      held.add(idle.slate(MOST)); // in the memory that the goldens used
      long before = budget.used();
      held.add(idle.slate(MOST));
      long slate = budget.used() - before;
      assertTrue(slate > 0);
      while (budget.limit() - budget.used() >= slate) {
        held.add(idle.slate(MOST));
      }
      held.forEach(Slate::close);
      List<Slate> others = new ArrayList<>();
      while (budget.limit() - budget.used() >= slate) {
        others.add(busy.slate(MOST));
      }

      others.add(busy.slate(MOST));

      assertTrue(budget.used() <= budget.limit());
      others.forEach(Slate::close);
    }
    assertEquals(0, budget.used());
  }

  @Test
  void theLimitHoldsAndEverythingComesBackWhateverManyCallersDo() throws Exception {
    MemoryBudget budget = MemoryBudget.of(tight() + 8192);
    AtomicLong most = new AtomicLong();
    AtomicInteger scored = new AtomicInteger();
    AtomicInteger refused = new AtomicInteger();
    ExecutorService pool = Executors.newFixedThreadPool(CALLERS);
    try (Model model = open(budget)) {
      List<Future<?>> all = new ArrayList<>();
      for (int caller = 0; caller < CALLERS; caller++) {
        int seed = caller;
        all.add(
            pool.submit(
                () -> {
                  for (int i = 0; i < CALLS; i++) {
                    int candidates = 1 + (seed + i) % MOST;
                    try (Slate slate = model.slate(candidates)) {
                      model.score(model.parse(Tiny.request(candidates)));
                      assertEquals(candidates, slate.candidates());
                      scored.incrementAndGet();
                    } catch (ScoringException e) {
                      assertEquals(ErrorCode.MEMORY_EXHAUSTED, e.code());
                      refused.incrementAndGet();
                    }
                    most.accumulateAndGet(budget.used(), Math::max);
                  }
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      pool.shutdownNow();
    }
    assertTrue(scored.get() > 0);
    assertEquals(CALLERS * CALLS, scored.get() + refused.get());
    assertTrue(most.get() <= budget.limit());
    assertEquals(0, budget.used());
  }
}
