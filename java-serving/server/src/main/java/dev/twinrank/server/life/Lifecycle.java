package dev.twinrank.server.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.State;
import dev.twinrank.core.StoreListener;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What changes which versions are served, whoever asks for it: the pointers, the admin API, the
 * Open Inference Protocol. A change that fails leaves what was there before. Of one name, one
 * change that may read a bundle is made at a time; to roll back and to unload never waits for one.
 * Thread-safe.
 */
public final class Lifecycle {
  private static final Logger LOG = LoggerFactory.getLogger(Lifecycle.class);

  private final Path root;
  private final LifeSettings settings;
  private final ModelStore store;
  private final Clock clock;
  private final Map<String, Failure> failures = new ConcurrentHashMap<>();
  private final Set<String> changing = ConcurrentHashMap.newKeySet();
  private volatile boolean ending;

  Lifecycle(Path root, LifeSettings settings, ModelStore store, Clock clock) {
    this.root = root;
    this.settings = settings;
    this.store = store;
    this.clock = clock;
  }

  /** Another change of the same model is being made. */
  public static final class BusyException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BusyException(String name) {
      super("another change of '%s' is being made; ask again when it is done".formatted(name));
    }
  }

  /** What a store tells, in the log and the counters. */
  static final class Teller implements StoreListener {
    private final LoadListener loads;
    private final Set<String> served;

    Teller(LoadListener loads, Set<String> served) {
      this.loads = loads;
      this.served = served;
    }

    @Override
    public void loading(String name, long version) {
      LOG.info("{}/{} is loading", name, version);
    }

    @Override
    public void loaded(Entry entry, Duration took) {
      loads.ended(LoadListener.OK);
      LOG.info(
          "{}/{} {} is loaded after {} ms: {}",
          entry.name(),
          entry.version(),
          entry.digest(),
          took.toMillis(),
          entry.verification().state().label());
    }

    @Override
    public void activated(String name, OptionalLong from, long to) {
      served.add(name);
      if (from.isPresent()) {
        LOG.info("{}/{} is active; before it {}", name, to, from.getAsLong());
      } else {
        LOG.info("{}/{} is active", name, to);
      }
    }

    @Override
    public void rolledBack(String name, long from, long to) {
      LOG.info("{}/{} is active again; {} was rolled back", name, to, from);
    }

    @Override
    public void unloaded(String name, long version) {
      LOG.info("{}/{} is unloaded", name, version);
    }

    @Override
    public void failed(String name, long version, RuntimeException problem) {
      loads.ended(problem instanceof BundleException bundle ? bundle.code().code() : Failure.OTHER);
    }
  }

  /**
   * Serves a version from now on, once it has proved itself and warmed up.
   *
   * @param differences whether requests made for the active version may be refused by it
   * @throws BundleException if it is unusable, or {@code incompatible_version}
   * @throws BusyException if another change of this model is being made
   * @throws IllegalArgumentException if no model can have that name, or no version that number, or
   *     it is none of those that are to be served
   * @throws IllegalStateException if the server ends, or the runtime cannot be used
   */
  public Entry activate(String name, long version, Differences differences) {
    return change(name, version, () -> store.activate(name, version, differences));
  }

  /**
   * Loads a version beside the active one, so that requests that name it are answered.
   *
   * @throws RuntimeException as {@link #activate} does
   */
  public Entry load(String name, long version) {
    return change(name, version, () -> store.load(name, version));
  }

  private Entry change(String name, long version, Supplier<Entry> body) {
    if (!settings.wants(name)) {
      throw new IllegalArgumentException(
          "this server serves %s and no other model (--model)"
              .formatted(String.join(", ", settings.only().stream().sorted().toList())));
    }
    if (!changing.add(name)) {
      throw new BusyException(name);
    }
    try {
      Entry entry = body.get();
      failures.remove(name);
      return entry;
    } catch (BundleException | IllegalStateException e) {
      fail(name, Failure.of(version, e, clock.instant()));
      throw e;
    } finally {
      changing.remove(name);
    }
  }

  /** From now on, changes fail because the server ends. */
  void end() {
    ending = true;
  }

  /** Keeps a failure for whoever asks; the log hears of it when it is news. */
  void fail(String name, Failure failure) {
    Failure earlier = failures.put(name, failure);
    if (ending) {
      LOG.info("{}: given up, because the server ends: {}", Text.printable(name), failure.detail());
    } else if (failure.repeats(earlier)) {
      LOG.debug("{} still fails: {}", name, failure.detail());
    } else {
      LOG.error(
          "{}: {}: {}; {}",
          Text.printable(name),
          failure.code(),
          failure.detail(),
          active(name)
              .map(entry -> "version " + entry.version() + " serves on")
              .orElse("the model is not served"));
    }
  }

  /**
   * Serves the version again that was active before, without reading a file; the one that it
   * replaces is unloaded.
   *
   * @throws IllegalStateException if none is kept, or the server ends
   */
  public Entry rollback(String name) {
    return store.rollback(name);
  }

  /**
   * Unloads a version that is not active.
   *
   * @throws IllegalStateException if it is the active one, or the server ends
   * @throws NoSuchElementException if it is not loaded
   */
  public void unload(String name, long version) {
    store.unload(name, version);
  }

  /**
   * Unloads a model: it is not served any more until a version of it is activated.
   *
   * @return the versions that were loaded
   * @throws IllegalStateException if the server must serve it, or ends
   * @throws NoSuchElementException if it is not loaded
   */
  public List<Long> unload(String name) {
    if (settings.only().contains(name)) {
      throw new IllegalStateException(
          "this server must serve '%s' (--model); activate another version instead"
              .formatted(name));
    }
    return store.unload(name);
  }

  /** Returns every version in memory, by name and number. */
  public List<Entry> entries() {
    return store.entries();
  }

  /** Returns the active version of a model. */
  public Optional<Entry> active(String name) {
    return entries().stream()
        .filter(entry -> entry.name().equals(name) && entry.state() == State.ACTIVE)
        .findFirst();
  }

  /** Returns why the last change of a model failed; empty if it did not, or there was none. */
  public Optional<Failure> lastFailure(String name) {
    return Optional.ofNullable(failures.get(name));
  }

  /** Returns the names of the models whose last change failed. */
  public Set<String> failing() {
    return Set.copyOf(failures.keySet());
  }

  /** Returns what lies in the models' directory now. */
  public ModelStore.OnDisk discover() {
    return store.discover();
  }

  /** Returns what the pointer of a model says now, as it may be shown; empty if there is none. */
  public Optional<String> pointer(String name) {
    return Pointer.read(root.resolve(name)).map(p -> p.problem().orElse(p.content()));
  }

  /** Returns how models come and go. */
  public LifeSettings settings() {
    return settings;
  }
}
