package dev.twinrank.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.core.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A process that does everything that takes native memory, over and over, and says after each
 * reload how much of it the process holds. With a plant it forgets to close something.
 */
final class Leaker {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final List<Object> FORGOTTEN = new ArrayList<>();

  private Leaker() {}

  /** What is forgotten. */
  enum Plant {
    NOTHING,
    /** Every other model that is opened. */
    MODEL,
    /** One lease a reload, which keeps its version. */
    LEASE
  }

  public static void main(String[] args) {
    Child.endWithTheParent(() -> {});
    try {
      run(Path.of(args[0]), Integer.parseInt(args[1]), Plant.valueOf(args[2]));
    } catch (Throwable e) {
      // A store with a forgotten lease never closes: whoever reads the lines must hear why it
      // ended.
      e.printStackTrace(System.out);
      System.out.flush();
      Runtime.getRuntime().halt(1);
    }
  }

  private static void run(Path models, int reloads, Plant plant) throws IOException {
    StoreOptions options = StoreOptions.builder().model(Tiny.BY_REFERENCE).previous(0).build();
    ModelStore store = ModelStore.open(models, options);
    for (int i = 0; i < reloads; i++) {
      store.activate(Bundles.NAME, i % Bundles.SERVING + 1);
      if (plant == Plant.LEASE) {
        FORGOTTEN.add(store.acquire(Bundles.NAME));
      }
      try (ModelStore.Lease lease = store.acquire(Bundles.NAME)) {
        work(lease.model(), i);
      }
      Model model = Model.open(Bundles.path(models, 1), Tiny.BY_REFERENCE);
      work(model, i);
      if (plant != Plant.MODEL || i % 2 == 0) {
        model.close();
      } else {
        FORGOTTEN.add(model);
      }
      refuse(models, i % 2 == 0 ? Bundles.UNRUNNABLE : Bundles.DAMAGED);
      System.gc(); // what only the collector frees, buffers, is no leak
      System.out.println("anonymous " + anonymous());
    }
    store.close(); // waits for ever if a lease is forgotten
  }

  private static void work(Model model, int round) {
    for (int i = 0; i < 10; i++) {
      model.rank(model.parse(Tiny.request(1 + (round * 7 + i * 13) % 200)));
    }
    try {
      model.parse(Tiny.utf8("{\"context\": {\"when\": \"x\"}}"));
      throw new IllegalStateException("a bad request was taken");
    } catch (ScoringException e) {
      // It must leave nothing behind either.
    }
  }

  private static void refuse(Path models, int version) {
    try {
      Model.open(Bundles.path(models, version), Tiny.BY_REFERENCE).close();
      throw new IllegalStateException("a bad bundle was opened");
    } catch (BundleException e) {
      // It must leave nothing behind either.
    }
  }

  /** Returns the kilobytes that are this process's own: no pages of mapped files. */
  private static long anonymous() throws IOException {
    for (String line : Files.readAllLines(STATUS)) {
      if (line.startsWith("RssAnon:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException(STATUS + " has no RssAnon");
  }
}
