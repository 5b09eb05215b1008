package dev.twinrank.life;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.core.Tiny;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A process that reloads while it answers. Every answer is compared with the first one that the
 * same bundle gave to the same request, and that one with a model opened afterwards.
 */
final class Reloader {
  private static final int CALLERS = 3;
  private static final int REQUESTS = 400;

  /** Whose answer. */
  private record Key(int request, String digest) {}

  private static final Map<Key, long[]> ANSWERS = new ConcurrentHashMap<>();
  private static final AtomicLong COUNT = new AtomicLong();
  private static final AtomicLong MIXED = new AtomicLong();
  private static final AtomicInteger NEXT = new AtomicInteger();

  private Reloader() {}

  public static void main(String[] args) throws InterruptedException {
    Path models = Path.of(args[0]);
    int reloads = Integer.parseInt(args[1]);
    Child.endWithTheParent(() -> {});
    StoreOptions options = StoreOptions.builder().model(Tiny.BY_REFERENCE).build();
    try (ModelStore store = ModelStore.open(models, options)) {
      store.activate(Bundles.NAME, 1);
      List<Worker> callers = new ArrayList<>();
      for (int i = 0; i < CALLERS; i++) {
        callers.add(Worker.start("call", () -> call(store)));
      }
      change(store, reloads, callers);
      callers.forEach(Worker::stop);
      for (Worker caller : callers) {
        caller.join();
      }
    }
    int wrong = rescore(models);
    System.out.printf(
        "answers %d, of %d requests by %d bundles; mixed %d, wrong %d%n",
        COUNT.get(),
        ANSWERS.keySet().stream().map(Key::request).distinct().count(),
        ANSWERS.keySet().stream().map(Key::digest).distinct().count(),
        MIXED.get(),
        wrong);
  }

  private static void change(ModelStore store, int reloads, List<Worker> callers)
      throws InterruptedException {
    for (int i = 1; i <= reloads; i++) {
      if (i % 10 == 0) {
        store.rollback(Bundles.NAME);
      }
      store.activate(Bundles.NAME, i % Bundles.SERVING + 1);
      callers.get(i % CALLERS).awaitAnother(); // no version goes by unseen
    }
  }

  private static void call(ModelStore store) {
    int number = NEXT.getAndIncrement() % REQUESTS;
    try (ModelStore.Lease lease = store.acquire(Bundles.NAME)) {
      Model model = lease.model();
      Ranking ranking = model.rank(request(model, number));
      COUNT.incrementAndGet();
      long[] bits = bits(ranking);
      long[] before = ANSWERS.putIfAbsent(new Key(number, model.digest()), bits);
      if (before != null && !Arrays.equals(before, bits)) {
        MIXED.incrementAndGet();
      }
    }
  }

  /** Returns one of the requests: each has other candidates, 1 to 40 of them. */
  private static RankRequest request(Model model, int number) {
    RankRequest.Builder request =
        model.request().context("when", (long) number).context("budget", number / 8.0);
    for (int i = 0; i <= number % 40; i++) {
      request
          .candidate()
          .set("stock", (long) ((number + i) % 5))
          .set("quality", (float) (number * 0.125 - i))
          .set("margin", i / 3.0);
    }
    return request.build();
  }

  /** Returns every score and head, and then the order. */
  private static long[] bits(Ranking ranking) {
    int heads = ranking.scores().heads().size();
    int candidates = ranking.scores().candidates();
    long[] bits = new long[candidates * (heads + 2)];
    int at = 0;
    for (int i = 0; i < candidates; i++) {
      for (int head = 0; head < heads; head++) {
        bits[at++] = ranking.scores().bits(head, i);
      }
      bits[at++] = ranking.scores().scoreBits(i);
      bits[at++] = ranking.entries().get(i).index();
    }
    return bits;
  }

  private static int rescore(Path models) {
    int wrong = 0;
    int seen = 0;
    for (int version = 1; version <= Bundles.SERVING; version++) {
      try (Model model = Model.open(Bundles.path(models, version), Tiny.BY_REFERENCE)) {
        for (Map.Entry<Key, long[]> each : ANSWERS.entrySet()) {
          if (each.getKey().digest().equals(model.digest())) {
            seen++;
            long[] again = bits(model.rank(request(model, each.getKey().request())));
            wrong += Arrays.equals(again, each.getValue()) ? 0 : 1;
          }
        }
      }
    }
    return wrong + ANSWERS.size() - seen; // an answer of no bundle is wrong too
  }
}
