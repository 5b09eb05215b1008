package dev.twinrank.core.internal.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class UsersTest {
  private static final int THREADS = 3;
  private static final int ROUNDS = 100;

  private final AtomicInteger freed = new AtomicInteger();
  private final Users users = new Users(freed::incrementAndGet);

  @Test
  void theOwnerFreesWhenNobodyIsIn() {
    assertTrue(users.enter());
    assertEquals(1, users.count());
    users.leave();
    assertEquals(0, freed.get());

    users.retire();

    assertEquals(1, freed.get());
    assertFalse(users.enter());
    assertTrue(users.isRetired());
  }

  @Test
  void theLastUserFreesAfterTheOwnerHasGone() throws InterruptedException {
    assertTrue(users.enter());
    assertTrue(users.enter());
    users.retire();
    users.retire();
    users.leave();
    assertEquals(0, freed.get());
    assertFalse(users.awaitFreed(0));

    users.leave();

    assertEquals(1, freed.get());
    assertTrue(users.awaitFreed(0));
    users.awaitFreed();
  }

  @Test
  void nobodyEntersOnceTheOwnerHasGoneEvenWhileOthersAreIn() {
    assertTrue(users.enter());
    users.retire();

    assertFalse(users.enter());

    users.leave();
    assertEquals(1, freed.get());
    assertEquals(0, users.count());
  }

  @Test
  void leavingWithoutHavingEnteredIsAnErrorAndTakesNothingFromOthers() {
    assertThrows(IllegalStateException.class, users::leave);
    assertTrue(users.enter());
    users.leave();
    assertThrows(IllegalStateException.class, users::leave);
    users.retire();
    assertThrows(IllegalStateException.class, users::leave);
    assertEquals(1, freed.get());
  }

  @Test
  void anInterruptDoesNotEndTheWaitAndIsKept() {
    users.retire();
    Thread.currentThread().interrupt();
    users.awaitFreed();
    assertTrue(Thread.interrupted());
  }

  @Test
  void nothingIsUsedOnceItIsFreedHoweverEnteringAndRetiringMeet() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(THREADS + 1);
    try {
      for (int round = 0; round < ROUNDS; round++) {
        AtomicInteger frees = new AtomicInteger();
        AtomicInteger afterwards = new AtomicInteger();
        Users raced = new Users(frees::incrementAndGet);
        CountDownLatch start = new CountDownLatch(1);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
          all.add(
              pool.submit(
                  () -> {
                    start.await();
                    while (raced.enter()) {
                      afterwards.addAndGet(frees.get());
                      raced.leave();
                    }
                    return null;
                  }));
        }
        all.add(
            pool.submit(
                () -> {
                  start.await();
                  raced.retire();
                  return null;
                }));
        start.countDown();
        for (Future<?> each : all) {
          each.get();
        }
        assertEquals(1, frees.get());
        assertEquals(0, afterwards.get());
      }
    } finally {
      pool.shutdownNow();
    }
  }
}
