package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ConcurrencyTest {
  private static final int CALLERS = 4;
  private static final int CALLS = 300;
  private static final int CLOSES = 40;

  @Test
  void callersOfOneModelGetTheBitsThatOneCallerGets() throws Exception {
    try (Model model = Tiny.open()) {
      byte[] raw = Tiny.utf8(Tiny.requests().get(1));
      List<Long> expected = bits(model.score(model.parse(raw)));
      run(
          CALLERS,
          () -> {
            for (int i = 0; i < CALLS; i++) {
              // Slates of other sizes in between make the workspaces grow and shrink.
              assertEquals(
                  1 + i % 20, model.score(model.parse(Tiny.request(1 + i % 20))).candidates());
              assertEquals(expected, bits(model.score(model.parse(raw))));
            }
          });
    }
  }

  @Test
  void closeWaitsForRunningCallsAndNeverCrashes() throws Exception {
    AtomicLong scored = new AtomicLong();
    for (int round = 0; round < CLOSES; round++) {
      Model model = Tiny.open();
      RankRequest request = model.parse(Tiny.request(20));
      CountDownLatch running = new CountDownLatch(CALLERS);
      ExecutorService closer = Executors.newSingleThreadExecutor();
      Future<?> closed =
          closer.submit(
              () -> {
                running.await();
                model.close();
                return null;
              });
      run(
          CALLERS,
          () -> {
            try {
              while (true) {
                model.score(request);
                scored.incrementAndGet();
                running.countDown();
              }
            } catch (IllegalStateException e) {
              assertTrue(e.getMessage().contains("closed"), e.getMessage());
            }
          });
      closed.get();
      closer.shutdown();
    }
    assertTrue(scored.get() >= (long) CALLERS * CLOSES);
  }

  private static List<Long> bits(Scores scores) {
    List<Long> bits = new ArrayList<>();
    for (int i = 0; i < scores.candidates(); i++) {
      for (int head = 0; head < scores.heads().size(); head++) {
        bits.add(scores.bits(head, i));
      }
      bits.add(scores.scoreBits(i));
    }
    return bits;
  }

  private static void run(int threads, Runnable body) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        all.add(pool.submit(body));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      pool.shutdownNow();
    }
  }
}
