package dev.twinrank.server.life;

import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.ModelStore.State;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models that are served, as they are at each moment: of each name the active version, and what
 * is loaded beside it. Thread-safe.
 */
public final class Models implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Models.class);

  /** How long what is being loaded and what is still leased may hold up the end. */
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

  public static final Models NONE = new Models(Optional.empty(), Set.of());

  /** What there is of models that are served. */
  private record Parts(ModelStore store, Lifecycle lifecycle, Watcher watcher) {}

  private final Optional<Parts> parts;
  private final Set<String> served;

  private Models(Optional<Parts> parts, Set<String> served) {
    this.parts = parts;
    this.served = served;
  }

  /**
   * Serves what a store has active, and closes it in the end.
   *
   * @param served the names that were ever active; it grows while the server runs
   */
  static Models of(ModelStore store, Lifecycle lifecycle, Watcher watcher, Set<String> served) {
    return new Models(Optional.of(new Parts(store, lifecycle, watcher)), served);
  }

  /** Returns what changes them; empty while there are none. */
  public Optional<Lifecycle> lifecycle() {
    return parts.map(Parts::lifecycle);
  }

  /** Follows the pointers from now on, if that was asked for. */
  public void follow() {
    parts.ifPresent(each -> each.lifecycle.settings().watch().ifPresent(each.watcher::start));
  }

  /** Looks at the pointers now, and tries again what failed. Does not wait for it. */
  public void look() {
    parts.ifPresent(each -> each.watcher.hurry());
  }

  /** Returns the active versions in order of their names. */
  public List<Entry> all() {
    return parts.map(each -> active(each.store)).orElse(List.of());
  }

  private static List<Entry> active(ModelStore store) {
    return store.entries().stream().filter(entry -> entry.state() == State.ACTIVE).toList();
  }

  /**
   * Leases the active version of a model.
   *
   * @throws java.util.NoSuchElementException if there is none
   * @throws IllegalStateException if the models are closed
   */
  public Lease lease(String name) {
    return parts.orElseThrow().store.acquire(name);
  }

  /**
   * Leases a version that is loaded, be it active or not.
   *
   * @throws java.util.NoSuchElementException if it is not
   * @throws IllegalStateException if the models are closed
   */
  public Lease lease(String name, long version) {
    return parts.orElseThrow().store.acquire(name, version);
  }

  /**
   * Returns whether a model of that name is served or was so once: those names are few, and none is
   * a client's invention.
   */
  public boolean has(String name) {
    return served.contains(name);
  }

  /** Returns the names of what is served, for the message that says which there are. */
  public Collection<String> names() {
    return all().stream().map(Entry::name).toList();
  }

  /** Follows no pointer any more: the server ends. */
  public void settle() {
    parts.ifPresent(
        each -> {
          each.lifecycle.end();
          each.watcher.close();
        });
  }

  /** Waits for every lease, and closes every model. */
  @Override
  public void close() {
    settle();
    parts.ifPresent(each -> close(each.store));
  }

  private static void close(ModelStore store) {
    try {
      if (!store.close(CLOSE_LIMIT)) {
        LOG.warn(
            "a model is still in use or being loaded after {} s; the process ends without it",
            CLOSE_LIMIT.toSeconds());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
