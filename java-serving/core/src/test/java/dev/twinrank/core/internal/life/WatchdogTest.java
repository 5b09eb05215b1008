package dev.twinrank.core.internal.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class WatchdogTest {
  private static final long HOUR = TimeUnit.HOURS.toNanos(1);
  private static final long LONGEST_WAIT_S = 60;

  private static final class Bell extends Watchdog.Watch {
    private final AtomicInteger rung;
    private final CountDownLatch first = new CountDownLatch(1);
    private final Error failure;

    Bell(long fromNow, AtomicInteger rung, Error failure) {
      super(System.nanoTime() + fromNow);
      this.rung = rung;
      this.failure = failure;
    }

    Bell(long fromNow) {
      this(fromNow, new AtomicInteger(), null);
    }

    @Override
    protected void expired() {
      rung.incrementAndGet();
      first.countDown();
      if (failure != null) {
        throw failure;
      }
    }

    void await() throws InterruptedException {
      assertTrue(first.await(LONGEST_WAIT_S, TimeUnit.SECONDS), "nobody was told");
    }
  }

  @Test
  void tellsOfEarlierDeadlinesThatCameLater() throws Exception {
    Bell far = new Bell(HOUR);
    Bell near = new Bell(TimeUnit.MILLISECONDS.toNanos(20));
    Bell past = new Bell(-1);
    Watchdog.add(far);
    Watchdog.add(near);
    Watchdog.add(past);
    past.await();
    near.await();
    Watchdog.remove(far);
    Watchdog.remove(near);
    assertEquals(0, far.rung.get());
    assertEquals(1, near.rung.get());
  }

  @Test
  void tellsTheOthersWhenOneThrows() throws Exception {
    Bell bad = new Bell(0, new AtomicInteger(), new AssertionError("planted"));
    Bell good = new Bell(0);
    Watchdog.add(bad);
    Watchdog.add(good);
    bad.await();
    good.await();
    // Told by the same thread, or by none if that has ended.
    Bell later = new Bell(0);
    Watchdog.add(later);
    later.await();
  }

  @Test
  void keepsNothingOfWhatIsRemovedAndNeedsOneThread() throws Exception {
    for (int i = 0; i < 10_000; i++) {
      Bell bell = new Bell(HOUR);
      Watchdog.add(bell);
      Watchdog.remove(bell);
      Watchdog.remove(bell);
    }
    assertEquals(0, Watchdog.watched());
    // Only what was never removed is told: the thread is still there for it.
    Bell bell = new Bell(0);
    Watchdog.add(bell);
    bell.await();
    assertEquals(
        1,
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().equals("twinrank-watchdog"))
            .count());
  }
}
