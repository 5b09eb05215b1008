package dev.twinrank.life;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.core.Tiny;
import java.nio.file.Path;

/** What a service holds: one version that answers, and another one after each swap. */
interface Serving extends AutoCloseable {

  /** An answer and the digest of the bundle that gave it. */
  record Answer(Ranking ranking, String digest) {}

  /** Answers with the version that serves now; null if it is closed. */
  Answer answer(byte[] request);

  /** Loads a version and lets it serve; false if it is closed. */
  boolean swap(int version);

  /** Loads a version beside the one that serves, and unloads it; false if it is closed. */
  boolean load(int version);

  @Override
  void close();

  static Serving of(String kind, Path models) {
    return switch (kind) {
      case "model" -> new OfModel(models);
      case "store" -> new OfStore(models);
      default -> throw new IllegalArgumentException(kind);
    };
  }

  /** The poor service: a reference to a model, which is closed under whoever uses it. */
  final class OfModel implements Serving {
    private final Path models;
    private volatile Model current;
    private boolean closed;

    private OfModel(Path models) {
      this.models = models;
    }

    @Override
    public Answer answer(byte[] request) {
      while (true) {
        Model model = current;
        if (model == null) {
          return null;
        }
        try {
          return new Answer(model.rank(model.parse(request)), model.digest());
        } catch (IllegalStateException e) {
          // The only state that a model may be in, and only after it was replaced.
          if (!e.getMessage().contains("closed") || model == current) {
            throw e;
          }
        }
      }
    }

    @Override
    public boolean swap(int version) {
      Model next = Model.open(Bundles.path(models, version), Tiny.BY_REFERENCE);
      Model before;
      synchronized (this) {
        before = closed ? next : current;
        if (!closed) {
          current = next;
        }
      }
      Mark.pass("close");
      if (before != null) {
        before.close();
      }
      return before != next;
    }

    @Override
    public boolean load(int version) {
      Model.open(Bundles.path(models, version), Tiny.BY_REFERENCE).close();
      return true;
    }

    @Override
    public void close() {
      Model last;
      synchronized (this) {
        closed = true;
        last = current;
        current = null;
      }
      if (last != null) {
        last.close();
      }
    }
  }

  /** The service as it should be: leases of a store. */
  final class OfStore implements Serving {
    private final ModelStore store;

    private OfStore(Path models) {
      store = ModelStore.open(models, StoreOptions.builder().model(Tiny.BY_REFERENCE).build());
    }

    @Override
    public Answer answer(byte[] request) {
      try (ModelStore.Lease lease = store.acquire(Bundles.NAME)) {
        Model model = lease.model();
        return new Answer(model.rank(model.parse(request)), model.digest());
      } catch (IllegalStateException e) {
        return nothing(e);
      }
    }

    @Override
    public boolean swap(int version) {
      try {
        Mark.pass("close");
        store.activate(Bundles.NAME, version);
        return true;
      } catch (IllegalStateException e) {
        return nothing(e) != null;
      }
    }

    @Override
    public boolean load(int version) {
      try {
        store.load(Bundles.NAME, version);
        store.unload(Bundles.NAME, version);
        return true;
      } catch (IllegalStateException e) {
        return nothing(e) != null;
      }
    }

    private static Answer nothing(IllegalStateException e) {
      if (e.getMessage().contains("store is closed")) {
        return null;
      }
      throw e;
    }

    @Override
    public void close() {
      store.close();
    }
  }
}
