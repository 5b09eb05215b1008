package dev.twinrank.life;

import dev.twinrank.core.Model;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Tiny;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** A process that closes models under the threads that run them, in every way there is. */
final class Closer {
  private static final int CALLERS = 3;
  private static final AtomicLong ANSWERS = new AtomicLong();

  private Closer() {}

  public static void main(String[] args) throws InterruptedException {
    Path bundle = Bundles.path(Path.of(args[0]), 1);
    int closes = Integer.parseInt(args[1]);
    Child.endWithTheParent(() -> {});
    for (int round = 0; round < closes; round++) {
      Model model = Model.open(bundle, Tiny.BY_REFERENCE);
      List<Caller> callers = new ArrayList<>();
      for (int i = 0; i < CALLERS; i++) {
        callers.add(new Caller(model, i));
      }
      callers.forEach(Thread::start);
      for (Caller caller : callers) {
        caller.awaitFirst();
      }
      close(model, round % 4);
      for (Caller caller : callers) {
        caller.join();
      }
      refused(model);
    }
    System.out.println("closes " + closes + ", answers " + ANSWERS.get());
  }

  private static void close(Model model, int way) throws InterruptedException {
    switch (way) {
      case 0 -> model.close();
      case 1 -> {
        model.close();
        model.close();
      }
      case 2 -> {
        Thread other = new Thread(model::close);
        other.start();
        model.close();
        other.join();
      }
      default -> {
        Thread.currentThread().interrupt(); // an impatient caller must not free it any sooner
        model.close();
        if (!Thread.interrupted()) {
          Victim.fail("close", new IllegalStateException("the interrupt was lost"));
        }
      }
    }
  }

  /** What was parsed or made before and after is refused, and nothing else happens. */
  private static void refused(Model model) {
    RankRequest request = model.parse(Bundles.request());
    try {
      model.score(request);
      Victim.fail("after", new IllegalStateException("a closed model has answered"));
    } catch (IllegalStateException e) {
      if (!e.getMessage().contains("closed")) {
        Victim.fail("after", e);
      }
    }
  }

  /** Answers until the model is closed; anything but IllegalStateException ends the process. */
  private static final class Caller extends Thread {
    private final Model model;
    private final int number;
    private boolean answered;

    private Caller(Model model, int number) {
      this.model = model;
      this.number = number;
    }

    @Override
    public void run() {
      try {
        while (true) {
          // Other sizes in between bind other tensors, which are freed and made meanwhile.
          RankRequest request =
              model.parse(answered ? Tiny.request(1 + number * 7) : Bundles.request());
          model.rank(request);
          ANSWERS.incrementAndGet();
          first();
        }
      } catch (IllegalStateException e) {
        if (!e.getMessage().contains("closed")) {
          Victim.fail("caller", e);
        }
      } catch (Throwable e) {
        Victim.fail("caller", e);
      }
    }

    private synchronized void first() {
      answered = !answered;
      notifyAll();
      seen = true;
    }

    private boolean seen;

    private synchronized void awaitFirst() throws InterruptedException {
      while (!seen) {
        wait();
      }
    }
  }
}
