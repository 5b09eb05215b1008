package dev.twinrank.server;

import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.ModelStore.State;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** The models that are served: of each name the active version. Thread-safe. */
final class Models implements AutoCloseable {
  static final Models NONE = new Models(Optional.empty(), Set.of());

  private final Optional<ModelStore> store;
  private final Set<String> names;

  private Models(Optional<ModelStore> store, Set<String> names) {
    this.store = store;
    this.names = names;
  }

  /** Serves what a store has active, and closes it in the end. */
  static Models of(ModelStore store) {
    Set<String> names = new TreeSet<>();
    active(store).forEach(entry -> names.add(entry.name()));
    return new Models(Optional.of(store), names);
  }

  /** Returns the active versions in order of their names. */
  List<Entry> all() {
    return store.map(Models::active).orElse(List.of());
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
  Lease lease(String name) {
    return store.orElseThrow().acquire(name);
  }

  /**
   * Leases a version that is loaded, be it active or not.
   *
   * @throws java.util.NoSuchElementException if it is not
   * @throws IllegalStateException if the models are closed
   */
  Lease lease(String name, long version) {
    return store.orElseThrow().acquire(name, version);
  }

  /** Returns whether there is such a model, also when it is closed. */
  boolean has(String name) {
    return names.contains(name);
  }

  /** Returns the names, for the message that says which there are. */
  Collection<String> names() {
    return names;
  }

  /** Waits for every lease, and closes every model. */
  @Override
  public void close() {
    store.ifPresent(ModelStore::close);
  }
}
