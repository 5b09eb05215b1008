package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelStore.Lease;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(300)
class StoreConcurrencyTest {
  private static final String NAME = Versions.NAME;
  private static final int CALLERS = 2;
  private static final int SWAPS = Integer.getInteger("twinrank.store.swaps", 200);
  private static final int LOADS = SWAPS / 5;
  private static final int CLOSES = Integer.getInteger("twinrank.store.closes", 5);

  @TempDir private static Path folder;
  private static Path models;

  @BeforeAll
  static void makeVersions() throws IOException {
    models = Files.createDirectories(folder.resolve("models"));
    for (int version = 1; version <= 3; version++) {
      Versions.make(models, version);
    }
  }

  private static StoreOptions options(int previous, MemoryBudget budget) {
    return StoreOptions.builder()
        .model(Versions.options().memory(budget).build())
        .previous(previous)
        .build();
  }

  /** Scores until told to stop; every answer must be the one of the lease's version. */
  private static void call(ModelStore store, AtomicBoolean over, AtomicLongArray answers) {
    while (!over.get()) {
      try (Lease lease = store.acquire(NAME)) {
        Model model = lease.model();
        RankRequest request = model.parse(Tiny.request(5));
        Scores first = model.score(request);
        Scores second = model.score(request);
        assertEquals(lease.version(), Versions.versionOf(first));
        assertEquals(lease.version(), Versions.versionOf(second));
        answers.incrementAndGet((int) lease.version());
      }
    }
  }

  @Test
  void everyAnswerIsEntirelyOneVersionsWhileVersionsAreReadSwappedAndFreed() throws Exception {
    MemoryBudget budget = MemoryBudget.of(1L << 30);
    // Nothing is kept: every activation reads, proves, swaps and frees.
    try (ModelStore store = ModelStore.open(models, options(0, budget))) {
      store.activate(NAME, 1);
      underLoad(
          store,
          LOADS,
          swap -> store.activate(NAME, 1 + swap % 2).version(),
          () -> assertTrue(store.entries().size() <= 2 + CALLERS));
    }
    assertEquals(0, budget.used());
  }

  @Test
  void everyAnswerIsEntirelyOneVersionsWhileItIsActivatedAndRolledBack() throws Exception {
    MemoryBudget budget = MemoryBudget.of(1L << 30);
    try (ModelStore store = ModelStore.open(models, options(1, budget))) {
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      underLoad(
          store,
          SWAPS - LOADS,
          swap -> store.activate(NAME, 2 - swap % 2).version(),
          () -> assertEquals(2, store.entries().size()));
      underLoad(
          store,
          LOADS / 4,
          swap -> (swap % 2 == 0 ? store.activate(NAME, 2) : store.rollback(NAME)).version(),
          () -> {});
    }
    assertEquals(0, budget.used());
  }

  /** Makes changes, and waits after each until an answer of the version that it made came. */
  private static void underLoad(
      ModelStore store, int changes, IntToLongFunction change, Runnable check) throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    AtomicLongArray answers = new AtomicLongArray(4);
    ExecutorService pool = Executors.newFixedThreadPool(CALLERS);
    try {
      List<Future<?>> callers = new ArrayList<>();
      for (int i = 0; i < CALLERS; i++) {
        callers.add(pool.submit(() -> call(store, over, answers)));
      }
      for (int i = 1; i <= changes; i++) {
        int version = (int) change.applyAsLong(i);
        long seen = answers.get(version);
        while (answers.get(version) == seen && callers.stream().noneMatch(Future::isDone)) {
          Thread.onSpinWait();
        }
        check.run();
      }
      over.set(true);
      for (Future<?> each : callers) {
        each.get();
      }
    } finally {
      over.set(true);
      pool.shutdownNow();
    }
  }

  @Test
  void closeLoadActivateUnloadAndRollbackNeverWaitForEachOtherInACircle() throws Exception {
    for (int round = 0; round < CLOSES; round++) {
      MemoryBudget budget = MemoryBudget.of(1L << 30);
      ModelStore store = ModelStore.open(models, options(1, budget));
      CountDownLatch changes = new CountDownLatch(CALLERS + round % 3);
      ExecutorService pool = Executors.newFixedThreadPool(CALLERS + 2);
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < CALLERS; i++) {
        Random random = new Random(31L * round + i);
        all.add(pool.submit(() -> change(store, random, changes)));
      }
      all.add(
          pool.submit(
              () -> {
                while (true) {
                  try (Lease lease = store.acquire(NAME)) {
                    assertEquals(lease.version(), Versions.versionOf(lease.model()));
                  } catch (NoSuchElementException e) {
                    Thread.onSpinWait();
                  } catch (IllegalStateException e) {
                    assertEquals("this store is closed", e.getMessage());
                    return;
                  }
                }
              }));
      all.add(
          pool.submit(
              () -> {
                changes.await();
                store.close();
                return null;
              }));
      for (Future<?> each : all) {
        each.get();
      }
      pool.shutdown();
      store.close();
      assertEquals(List.of(), store.entries());
      assertEquals(0, budget.used());
    }
  }

  /** Changes versions at random until the store is closed. */
  private static void change(ModelStore store, Random random, CountDownLatch changes) {
    while (true) {
      long version = 1L + random.nextInt(3);
      try {
        switch (random.nextInt(4)) {
          case 0 -> store.load(NAME, version);
          case 1 -> store.activate(NAME, version);
          case 2 -> store.unload(NAME, version);
          default -> store.rollback(NAME);
        }
        changes.countDown();
      } catch (NoSuchElementException e) {
        Thread.onSpinWait(); // not loaded: unload had nothing to do
      } catch (IllegalStateException e) {
        if (e.getMessage().equals("this store is closed")) {
          return;
        }
      }
    }
  }
}
