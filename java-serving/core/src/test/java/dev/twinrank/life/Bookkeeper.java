package dev.twinrank.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.Cancellation;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.MemoryBudget;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Slate;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.core.Tiny;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.life.CountingEngine.Step;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A process that does everything that takes a session or a workspace, well and badly, and looks at
 * the books of {@link CountingEngine} when each is over: nothing may be open then.
 */
final class Bookkeeper {
  /** More than a session keeps idle. */
  private static final int MANY = 4 * Runtime.getRuntime().availableProcessors() + 3;

  // A warm-up of one round is a warm-up: it takes what a long one takes.
  private static final ModelOptions BRIEF =
      ModelOptions.builder()
          .require(Require.REFERENCE)
          .warmUp(new ModelOptions.WarmUp(1, Duration.ofSeconds(1)))
          .build();

  private static Path models;
  private static int failures;

  private Bookkeeper() {}

  /** Something that ends with everything given back. */
  private interface Part {
    void run() throws Exception;
  }

  /** What somebody does with a model while it is open. */
  private interface Use {
    void of(Model model) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    models = Path.of(args[0]);
    int rounds = Integer.parseInt(args[1]);
    Child.endWithTheParent(() -> {});
    for (int round = 0; round < rounds; round++) {
      part("requests", () -> open(Bookkeeper::requests));
      part("many slates", () -> open(Bookkeeper::manySlates));
      part("bad slates", () -> open(Bookkeeper::badSlates));
      part("cancellations", () -> open(Bookkeeper::cancellations));
      part("failing runs", () -> open(model -> failing(model, Step.RUN)));
      part("failing memory", () -> open(model -> failing(model, Step.RESIZE)));
      part("slates closed in their run", () -> open(Bookkeeper::closedInItsRun));
      part("a slate kept longer than its model", Bookkeeper::keptSlate);
      part("a model closed under its run", Bookkeeper::closedUnderItsRun);
      part("a budget", Bookkeeper::budget);
      part("a store", Bookkeeper::store);
      part("bundles that are refused", Bookkeeper::refusals);
      part("openings that fail", Bookkeeper::failingOpenings);
      part("a report", () -> Model.verify(bundle(), BRIEF));
    }
    System.out.printf(
        "closed once each: %d graphs, %d workspaces; %d failures%n",
        CountingEngine.GRAPHS.opened(), CountingEngine.WORKSPACES.opened(), failures);
  }

  private static void part(String what, Part part) {
    int workspaces = CountingEngine.WORKSPACES.opened();
    try {
      part.run();
    } catch (Throwable e) {
      Victim.fail(what, e);
    }
    CountingEngine.hook = step -> {};
    int graphs = CountingEngine.GRAPHS.open();
    int open = CountingEngine.WORKSPACES.open();
    if (graphs != 0 || open != 0 || CountingEngine.WORKSPACES.opened() == workspaces) {
      String books = graphs + " graphs and " + open + " workspaces are open, or none was opened";
      Victim.fail(what, new IllegalStateException(books));
    }
  }

  private static Path bundle() {
    return Bundles.path(models, 1);
  }

  private static void open(Use use) throws Exception {
    try (Model model = Model.open(bundle(), BRIEF)) {
      use.of(model);
    }
  }

  private static Slate slate(Model model, int candidates) {
    Slate slate = model.slate(candidates);
    fill(model, slate);
    return slate;
  }

  private static void fill(Model model, Slate slate) {
    double[] numbers = new double[slate.candidates()];
    slate.set(model.schema().integer("when"), 0);
    slate.set(model.schema().number("budget"), 0.0);
    slate.column(model.schema().integer("stock"), new long[slate.candidates()]);
    slate.column(model.schema().number("quality"), numbers);
    slate.column(model.schema().number("margin"), numbers);
  }

  private static void requests(Model model) {
    for (int candidates : new int[] {0, 1, 7, 300, 1}) {
      model.rank(model.parse(Tiny.request(candidates)));
      model.score(model.parse(Tiny.request(candidates)));
    }
    if (!model.verify().passed()) {
      throw new IllegalStateException("it no longer proves what it proved");
    }
  }

  private static void manySlates(Model model) {
    for (int again = 0; again < 2; again++) {
      List<Slate> slates = new ArrayList<>();
      for (int i = 0; i < MANY; i++) {
        slates.add(slate(model, i));
        model.scores(slates.get(i));
      }
      slates.forEach(Slate::close);
      slates.forEach(Slate::close);
    }
  }

  private static void badSlates(Model model) {
    refused(ErrorCode.TOO_MANY_CANDIDATES, () -> model.slate(Bundles.MAX_CANDIDATES + 1));
    try {
      model.slate(-1);
      throw new IllegalStateException("a slate of -1 candidates");
    } catch (IllegalArgumentException e) {
      failures++;
    }
    try (Slate slate = slate(model, 3)) {
      refused(ErrorCode.TOO_MANY_CANDIDATES, () -> slate.reset(Bundles.MAX_CANDIDATES + 1));
      slate.reset(4);
      refused(ErrorCode.MISSING_FEATURE, () -> model.scores(slate));
      slate.reset(5);
      fill(model, slate);
      model.scores(slate);
    }
    model.slate(2).close();
  }

  private static void cancellations(Model model) {
    Cancellation cancelled = Cancellation.create();
    cancelled.cancel();
    Cancellation late = Cancellation.after(Duration.ZERO);
    try (Slate slate = slate(model, 3)) {
      refused(ErrorCode.CANCELLED, () -> model.rank(slate, 2, cancelled));
    }
    refused(ErrorCode.DEADLINE_EXCEEDED, () -> model.score(model.parse(Tiny.request(3)), late));
    Cancellation inTheRun = Cancellation.create();
    at(Step.RUN, 1, inTheRun::cancel);
    try (Slate slate = slate(model, 3)) {
      refused(ErrorCode.CANCELLED, () -> model.rank(slate, 2, inTheRun));
      slate.reset(2);
      fill(model, slate);
      model.rank(slate, 2, Cancellation.after(Duration.ofDays(1)));
    }
  }

  private static void failing(Model model, Step step) {
    for (int again = 0; again < 2; again++) {
      failAt(step, 1);
      refused(ErrorCode.SCORING_FAILED, () -> model.rank(model.parse(Tiny.request(9 + failures))));
      failAt(step, 1);
      refused(
          ErrorCode.SCORING_FAILED,
          () -> {
            try (Slate slate = slate(model, 9 + failures)) {
              model.scores(slate);
            }
          });
      starveAt(step, 1);
      starved(() -> model.rank(model.parse(Tiny.request(9 + failures))));
      starveAt(step, 1);
      starved(
          () -> {
            try (Slate slate = slate(model, 9 + failures)) {
              model.scores(slate);
            }
          });
    }
  }

  private static void closedInItsRun(Model model) {
    Slate slate = slate(model, 5);
    at(Step.RUN, 1, slate::close);
    try {
      model.scores(slate);
    } catch (RuntimeException e) {
      failures++; // nobody should do that; what is told of it is not the matter here
    }
    slate.close();
    model.rank(model.parse(Tiny.request(5)));
  }

  private static void keptSlate() {
    Model model = Model.open(bundle(), BRIEF);
    Slate kept = slate(model, 5);
    model.close();
    try {
      model.scores(kept);
      throw new IllegalStateException("a closed model has answered");
    } catch (IllegalStateException e) {
      failures++;
    }
    kept.close();
    model.close();
  }

  private static void closedUnderItsRun() throws InterruptedException {
    Model model = Model.open(bundle(), BRIEF);
    Slate slate = slate(model, 5);
    Slate idle = slate(model, 6);
    Thread closer = new Thread(model::close);
    at(
        Step.RUN,
        1,
        () -> {
          closer.start();
          awaitClosed(model);
          idle.close(); // comes back when nobody will take it any more
        });
    model.scores(slate);
    slate.close();
    closer.join();
  }

  /** Waits until a model leases no more slates: its owner has left. */
  private static void awaitClosed(Model model) {
    while (true) {
      try {
        model.slate(1).close();
        Thread.onSpinWait();
      } catch (IllegalStateException e) {
        return;
      }
    }
  }

  private static ModelOptions within(MemoryBudget budget) {
    return ModelOptions.builder()
        .require(Require.REFERENCE)
        .warmUp(BRIEF.warmUp())
        .memory(budget)
        .build();
  }

  private static void budget() {
    MemoryBudget ample = MemoryBudget.of(1L << 30);
    long open;
    try (Model model = Model.open(bundle(), within(ample))) {
      open = ample.used();
      slate(model, 1).close();
    }
    MemoryBudget budget = MemoryBudget.of(open + 1_000_000);
    try (Model model = Model.open(bundle(), within(budget))) {
      List<Slate> slates = new ArrayList<>();
      // Until it is spent; then what lies idle is closed for the others.
      while (true) {
        try {
          slates.add(slate(model, 200));
        } catch (ScoringException e) {
          failures++;
          break;
        }
      }
      slates.forEach(Slate::close);
      slate(model, 150).close();
      refused(ErrorCode.MEMORY_EXHAUSTED, () -> hold(model, slates.size() + 1));
    }
    if (budget.used() != 0) {
      throw new IllegalStateException(budget + " after everything was closed");
    }
  }

  private static void hold(Model model, int count) {
    List<Slate> slates = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        slates.add(slate(model, 200));
      }
    } finally {
      slates.forEach(Slate::close);
    }
  }

  private static void store() throws InterruptedException {
    StoreOptions options = StoreOptions.builder().model(BRIEF).previous(1).build();
    CountDownLatch leased = new CountDownLatch(1);
    CountDownLatch replaced = new CountDownLatch(1);
    try (ModelStore store = ModelStore.open(models, options)) {
      store.activate(Bundles.NAME, 1);
      Thread caller =
          new Thread(
              () -> {
                try (ModelStore.Lease lease = store.acquire(Bundles.NAME);
                    Slate slate = slate(lease.model(), 4)) {
                  leased.countDown();
                  replaced.await();
                  lease.model().scores(slate);
                } catch (InterruptedException | RuntimeException e) {
                  Victim.fail("a lease", e);
                }
              });
      caller.start();
      leased.await();
      store.load(Bundles.NAME, 2);
      store.activate(Bundles.NAME, 2);
      store.rollback(Bundles.NAME);
      store.activate(Bundles.NAME, 3);
      store.unload(Bundles.NAME, 1); // the caller still has its lease
      replaced.countDown();
      caller.join();
      failAt(Step.LOAD, 1);
      refusedBundle(() -> store.activate(Bundles.NAME, 2));
      try (ModelStore.Lease lease = store.acquire(Bundles.NAME)) {
        requests(lease.model());
      }
    }
  }

  private static void refusals() {
    for (int version : new int[] {Bundles.UNRUNNABLE, Bundles.DAMAGED}) {
      refusedBundle(() -> Model.open(Bundles.path(models, version), BRIEF).close());
    }
    Model.open(bundle(), BRIEF).close();
  }

  /**
   * Fails at a load, resize or run of an opening, early and late, until one opening has no more.
   */
  private static void failingOpenings() {
    for (Step step : Step.values()) {
      boolean more = true;
      for (int at = 1; more; at += 1 + at / 2) {
        boolean failed = failingOpening(step + " " + at, failAt(step, at));
        boolean starved = failingOpening("starved " + step + " " + at, starveAt(step, at));
        more = failed || starved;
      }
    }
  }

  /** Opens, and returns whether that has come to where it fails. */
  private static boolean failingOpening(String where, AtomicInteger left) {
    try {
      Model.open(bundle(), BRIEF).close();
    } catch (OutOfMemoryError | BundleException | ScoringException e) {
      failures++;
    }
    if (CountingEngine.GRAPHS.open() != 0 || CountingEngine.WORKSPACES.open() != 0) {
      throw new IllegalStateException(where + " left something open");
    }
    return left.get() <= 0;
  }

  private static AtomicInteger at(Step step, int count, Runnable action) {
    AtomicInteger left = new AtomicInteger(count);
    CountingEngine.hook =
        now -> {
          if (now == step && left.decrementAndGet() == 0) {
            action.run();
          }
        };
    return left;
  }

  private static AtomicInteger failAt(Step step, int count) {
    AtomicInteger left = new AtomicInteger(count);
    CountingEngine.hook =
        now -> {
          if (now == step && left.decrementAndGet() == 0) {
            throw new GraphFailure("a failure of the test");
          }
        };
    return left;
  }

  private static AtomicInteger starveAt(Step step, int count) {
    return at(
        step,
        count,
        () -> {
          throw new OutOfMemoryError("of the test");
        });
  }

  private static void refused(ErrorCode code, Runnable call) {
    try {
      call.run();
      throw new IllegalStateException("nothing was refused; " + code + " was expected");
    } catch (ScoringException e) {
      if (e.code() != code) {
        throw e;
      }
      failures++;
    }
  }

  private static void refusedBundle(Runnable call) {
    try {
      call.run();
      throw new IllegalStateException("a bundle that cannot be used was opened");
    } catch (BundleException e) {
      failures++;
    }
  }

  private static void starved(Runnable call) {
    try {
      call.run();
      throw new IllegalStateException("nobody ran out of memory");
    } catch (OutOfMemoryError e) {
      failures++;
    } catch (ScoringException e) {
      if (e.code() != ErrorCode.MEMORY_EXHAUSTED) {
        throw e;
      }
      failures++;
    }
  }
}
