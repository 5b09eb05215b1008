package dev.twinrank.core.internal.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.life.Budget.Account;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class BudgetTest {
  private static final int THREADS = 4;
  private static final int STEPS = 20_000;

  private final Budget budget = new Budget(100);

  @Test
  void whatIsTakenIsChargedToItsOwnerAndNoMoreThanTheLimitIs() {
    Account a = budget.open("a");
    Account b = budget.open("b");
    assertTrue(a.take(60));
    assertTrue(b.take(40));
    assertFalse(b.take(1));
    assertEquals(100, budget.used());
    assertEquals(Map.of("a", 60L, "b", 40L), budget.reservations());
    assertEquals("100 of 100 are taken (a 60, b 40)", budget.describe());

    a.give(20);
    assertTrue(b.take(20));
    assertEquals(Map.of("a", 40L, "b", 60L), budget.reservations());
    assertThrows(IllegalArgumentException.class, () -> a.give(41));
    assertThrows(IllegalArgumentException.class, () -> a.take(-1));
  }

  @Test
  void aSumThatALongCannotHoldDoesNotFit() {
    Account a = budget.open("a");
    assertTrue(a.take(1));
    assertFalse(a.take(Long.MAX_VALUE));
    assertEquals(1, budget.used());
  }

  @Test
  void closingGivesEverythingBackOnce() {
    Account a = budget.open("a");
    assertTrue(a.take(60));
    a.close();
    a.close();
    a.give(10);
    assertFalse(a.take(1));
    assertEquals(0, budget.used());
    assertEquals(Map.of(), budget.reservations());
    assertEquals("0 of 100 are taken (by nobody)", budget.describe());
  }

  @Test
  void whatIsIdleIsDroppedBeforeAnythingIsRefusedTheOwnersOwnFirst() {
    Account a = budget.open("a");
    Account b = budget.open("b");
    List<String> dropped = new ArrayList<>();
    assertTrue(a.take(50));
    assertTrue(b.take(50));
    a.onShortage(
        () -> {
          dropped.add("a");
          a.give(a.take(0) && dropped.size() == 1 ? 10 : 0);
        });
    b.onShortage(
        () -> {
          dropped.add("b");
          b.give(20);
        });

    assertTrue(a.take(10));
    assertEquals(List.of("a"), dropped);
    assertTrue(a.take(20));
    assertEquals(List.of("a", "a", "b"), dropped);
    assertEquals(100, budget.used());
  }

  @Test
  void theLimitHoldsAndTheBooksBalanceWhateverManyThreadsDo() throws Exception {
    AtomicLong most = new AtomicLong();
    ExecutorService pool = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        int seed = thread;
        all.add(
            pool.submit(
                () -> {
                  Random random = new Random(seed);
                  Account account = budget.open("thread " + seed);
                  long mine = 0;
                  for (int i = 0; i < STEPS; i++) {
                    int bytes = random.nextInt(40);
                    if (random.nextBoolean() && account.take(bytes)) {
                      mine += bytes;
                    } else if (mine > 0) {
                      account.give(1);
                      mine--;
                    }
                    most.accumulateAndGet(budget.used(), Math::max);
                    if (i % 1_000 == 0) {
                      account.close();
                      account = budget.open("thread " + seed);
                      mine = 0;
                    }
                  }
                  account.close();
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      pool.shutdownNow();
    }
    assertTrue(most.get() > 50 && most.get() <= 100, most::toString);
    assertEquals(0, budget.used());
  }
}
