package dev.twinrank.core;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The loaded versions of one name, and which of them is current. Thread-safe: changes are made one
 * at a time under a lock that is never held while a model is opened, closed or told of; reading
 * takes no lock.
 *
 * <p>A version is retired only after nobody can find it here any more. Whoever found it before and
 * cannot enter looks again, and finds another one or none.
 */
final class ModelVersions {
  private final String name;
  private final StoreEvents events;
  private final Set<LoadedVersion> retired;

  /** Held by whoever opens a version of this name: one at a time. */
  private final ReentrantLock loading = new ReentrantLock();

  private volatile LoadedVersion current;
  private volatile LoadedVersion[] loaded = {};

  // The latest last. Guarded by this.
  private final Deque<LoadedVersion> previous = new ArrayDeque<>();
  private boolean closed;

  /** Starts empty. What is taken out is put into {@code retired}, where its freeing is awaited. */
  ModelVersions(String name, StoreEvents events, Set<LoadedVersion> retired) {
    this.name = name;
    this.events = events;
    this.retired = retired;
  }

  /**
   * What a change made.
   *
   * @param now the version that was loaded, or is current
   * @param dropped what can no longer be found, which the caller retires
   */
  record Change(LoadedVersion now, List<LoadedVersion> dropped) {}

  String name() {
    return name;
  }

  ReentrantLock loading() {
    return loading;
  }

  /** Tells what a version is doing now. */
  ModelStore.Entry entry(LoadedVersion version) {
    ModelStore.State state =
        current() == version ? ModelStore.State.ACTIVE : ModelStore.State.LOADED;
    return ModelStore.Entry.of(version, version.isRetired() ? ModelStore.State.RETIRED : state);
  }

  LoadedVersion current() {
    return current;
  }

  /** Returns a version that is loaded, or null. */
  LoadedVersion find(long version) {
    for (LoadedVersion each : loaded) {
      if (each.version() == version) {
        return each;
      }
    }
    return null;
  }

  /** Returns the versions that are loaded, in order. */
  LoadedVersion[] loaded() {
    return loaded.clone();
  }

  /** Leases the current version, or returns null if there is none. */
  LoadedVersion lease() {
    LoadedVersion found = current;
    while (found != null && !found.enter()) {
      found = current;
    }
    return found;
  }

  /** Leases a version, or returns null if it is not loaded. */
  LoadedVersion lease(long version) {
    LoadedVersion found = find(version);
    while (found != null && !found.enter()) {
      found = find(version);
    }
    return found;
  }

  /**
   * Adds a version that was not there.
   *
   * @return false if this is closed; the version is not here then
   */
  synchronized boolean add(LoadedVersion version, Duration took) {
    if (closed) {
      return false;
    }
    put(version, took);
    return true;
  }

  /**
   * Makes a version current, adding it if it is fresh.
   *
   * @param took how long it took to load if it is fresh, or null
   * @param check throws if the first, the current one, must not be replaced by the second
   * @param keep how many versions that were current stay
   * @return nothing if nothing was changed, because this is closed, or the version is not fresh and
   *     was unloaded
   */
  synchronized Optional<Change> activate(LoadedVersion to, Duration took, Check check, int keep) {
    LoadedVersion from = current;
    if (closed || (took == null && find(to.version()) != to)) {
      return Optional.empty();
    }
    if (from == to) {
      return Optional.of(new Change(to, List.of()));
    }
    if (from != null) {
      check.replace(from, to);
    }
    if (took != null) {
      put(to, took);
    }
    previous.remove(to);
    current = to;
    OptionalLong before = OptionalLong.empty();
    if (from != null) {
      previous.addLast(from);
      before = OptionalLong.of(from.version());
    }
    told(before, to.version());
    List<LoadedVersion> dropped = new ArrayList<>();
    while (previous.size() > keep) {
      dropped.add(remove(previous.removeFirst()));
    }
    return Optional.of(new Change(to, dropped));
  }

  private void told(OptionalLong from, long to) {
    events.add(listener -> listener.activated(name, from, to));
  }

  /** Throws if a version must not replace another. */
  interface Check {
    void replace(LoadedVersion from, LoadedVersion to);
  }

  /**
   * Makes the version current that was so before; the one that it replaces is dropped.
   *
   * @throws IllegalStateException if there is none
   */
  synchronized Change rollback() {
    if (previous.isEmpty()) {
      throw new IllegalStateException(
          "no version of '"
              + name
              + "' that was active before is loaded; activate the version to go back to; so many as"
              + " StoreOptions.previous (--previous of the server) says are kept for the next time");
    }
    LoadedVersion from = current;
    LoadedVersion to = previous.removeLast();
    current = to;
    events.add(listener -> listener.rolledBack(name, from.version(), to.version()));
    return new Change(to, List.of(remove(from)));
  }

  /**
   * Takes a version out, which the caller retires.
   *
   * @return null if it is not loaded
   * @throws IllegalStateException if it is the current one
   */
  synchronized LoadedVersion take(long version) {
    LoadedVersion found = find(version);
    if (found == null) {
      return null;
    }
    if (found == current) {
      throw new IllegalStateException(
          "version "
              + version
              + " of '"
              + name
              + "' is the active one; activate another first, or close the store");
    }
    previous.remove(found);
    return remove(found);
  }

  /** Takes everything out, for good; the caller retires it. */
  synchronized List<LoadedVersion> close() {
    closed = true;
    return takeAll();
  }

  /** Takes everything out; the caller retires it. */
  synchronized List<LoadedVersion> takeAll() {
    List<LoadedVersion> all = List.of(loaded);
    retired.addAll(all);
    current = null;
    previous.clear();
    loaded = new LoadedVersion[0];
    return all;
  }

  private void put(LoadedVersion version, Duration took) {
    LoadedVersion[] more = Arrays.copyOf(loaded, loaded.length + 1);
    int at = loaded.length;
    while (at > 0 && more[at - 1].version() > version.version()) {
      more[at] = more[at - 1];
      at--;
    }
    more[at] = version;
    loaded = more;
    ModelStore.Entry entry = ModelStore.Entry.of(version, ModelStore.State.LOADED);
    events.add(listener -> listener.loaded(entry, took));
  }

  private LoadedVersion remove(LoadedVersion version) {
    retired.add(version);
    loaded = Arrays.stream(loaded).filter(each -> each != version).toArray(LoadedVersion[]::new);
    return version;
  }
}
