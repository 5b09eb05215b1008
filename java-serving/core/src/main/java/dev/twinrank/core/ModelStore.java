package dev.twinrank.core;

import dev.twinrank.core.ModelVersions.Change;
import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.life.TimeLeft;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Models under {@code <models>/<name>/<version>}, of each name one version active and any number
 * loaded beside it. Versions are replaced while they serve. Thread-safe.
 *
 * <pre>{@code
 * try (ModelStore store = ModelStore.open(Path.of("models"), StoreOptions.defaults())) {
 *   store.activate("ranker", 1);
 *   try (ModelStore.Lease lease = store.acquire("ranker")) {   // for each request
 *     Ranking ranking = lease.model().rank(lease.model().parse(json));
 *   }
 *   store.activate("ranker", 2);                               // requests go on meanwhile
 *   store.rollback("ranker");                                  // and back, without reading a file
 * }
 * }</pre>
 *
 * <p><b>Leases.</b> A request acquires a lease, scores with its model, and closes it. The lease
 * keeps its version usable whatever happens to the store meanwhile. {@link #acquire(String)} takes
 * no lock and waits for nobody. A version that was unloaded is freed when its last lease and run
 * are gone: by the thread that unloaded it if there was none then, else by a daemon thread made for
 * that, never by one that serves. A lease that nobody closes keeps its model in memory, and no
 * more.
 *
 * <p><b>Changes.</b> Of one name, one version is read at a time, and changes of what is loaded and
 * active are made one after the other; different names do not wait for each other. {@link
 * #rollback} and {@link #unload} do not wait for a version that is being read. A change that fails
 * leaves everything as it was.
 *
 * <p><b>Memory.</b> While a version replaces another, both are in memory, and so are those that
 * {@link StoreOptions#previous} keeps: {@code previous + 2} versions at most, and what unloaded
 * versions' leases hold. {@link ModelOptions.Builder#memory} bounds it.
 *
 * @since 0.1
 */
public final class ModelStore implements AutoCloseable {
  private static final String CLOSED = "this store is closed";

  private final Path models;
  private final ModelFolders folders;
  private final StoreOptions options;
  private final StoreEvents events;
  private final Map<String, ModelVersions> byName = new ConcurrentHashMap<>();
  private final Set<LoadedVersion> retired = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  private ModelStore(Path models, StoreOptions options) {
    this.models = models;
    this.folders = new ModelFolders(models);
    this.options = options;
    this.events = new StoreEvents(options.listeners());
  }

  /**
   * Whether a version may replace one whose requests it might refuse.
   *
   * @since 0.1
   */
  public enum Differences {
    /** It may not: the activation fails and says what differs. */
    REFUSE,
    /** It may: every caller is known to send what the new version needs. */
    ALLOW
  }

  /**
   * What a version of a store is doing.
   *
   * @since 0.1
   */
  public enum State {
    /** It can be acquired by its number. */
    LOADED,
    /** It is what {@link ModelStore#acquire(String)} gives. */
    ACTIVE,
    /** It was unloaded, and its leases are waited for. */
    RETIRED
  }

  /**
   * A version in memory, as it was at one moment. Immutable and thread-safe.
   *
   * @param name the model's name
   * @param version the directory's number
   * @param state what it is doing
   * @param digest the bundle's digest
   * @param verification how it proved itself
   * @param leases how many leases are not closed
   * @since 0.1
   */
  public record Entry(
      String name,
      long version,
      State state,
      String digest,
      Verification verification,
      int leases) {

    /** Refuses nulls. */
    public Entry {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(state, "state");
      Objects.requireNonNull(digest, "digest");
      Objects.requireNonNull(verification, "verification");
    }

    static Entry of(LoadedVersion version, State state) {
      Model model = version.model();
      return new Entry(
          model.name(),
          version.version(),
          state,
          model.digest(),
          model.verification(),
          version.leases());
    }
  }

  /**
   * What lies in the directory. Immutable and thread-safe.
   *
   * @param versions the numbers of each name's versions, ascending; empty for a directory that
   *     holds none. Nothing was opened: whether they are sound is not known
   * @param passedOver directories whose names are no model's, and within a model's those whose
   *     names are no version; attestations and what begins with a dot are not among them
   * @since 0.1
   */
  public record OnDisk(SortedMap<String, List<Long>> versions, List<Path> passedOver) {

    /** Copies both. */
    public OnDisk {
      SortedMap<String, List<Long>> copy = new TreeMap<>();
      versions.forEach((name, numbers) -> copy.put(name, List.copyOf(numbers)));
      versions = Collections.unmodifiableSortedMap(copy);
      passedOver = List.copyOf(passedOver);
    }
  }

  /**
   * Opens a store.
   *
   * @param models the directory that holds {@code <name>/<version>}
   * @throws UncheckedIOException if the directory cannot be read
   * @throws BundleException if {@link StoreOptions#start} asks for models and one is unusable; it
   *     carries the problems of all, and nothing stays open
   */
  public static ModelStore open(Path models, StoreOptions options) {
    ModelStore store = new ModelStore(models, options);
    boolean complete = false;
    try {
      OnDisk found = store.discover();
      if (options.start() == StoreOptions.Start.NEWEST) {
        store.activateNewest(found);
      }
      complete = true;
      return store;
    } finally {
      if (!complete) {
        store.close();
      }
    }
  }

  private void activateNewest(OnDisk found) {
    List<Problem> problems = new ArrayList<>();
    found
        .versions()
        .forEach(
            (name, versions) -> {
              if (versions.isEmpty()) {
                problems.add(
                    new Problem(
                        ErrorCode.FILE_MISSING,
                        name,
                        "holds no version; a bundle is the directory <models>/<name>/<version>"));
                return;
              }
              long newest = versions.get(versions.size() - 1);
              try {
                activate(name, newest);
              } catch (BundleException e) {
                for (Problem each : e.problems()) {
                  String path = name + "/" + newest + "/" + each.path();
                  problems.add(new Problem(each.code(), path, each.detail()));
                }
              }
            });
    if (!problems.isEmpty()) {
      throw new BundleException(models, problems, null);
    }
  }

  /**
   * Lists what lies in the directory now. Opens nothing.
   *
   * @throws UncheckedIOException if a directory cannot be read
   */
  public OnDisk discover() {
    return folders.list();
  }

  /**
   * Reads, proves and warms up a version, so that it can be acquired by its number. Does nothing if
   * it is loaded.
   *
   * @throws BundleException if it is unusable, or its manifest has another name
   * @throws IllegalArgumentException if no model can have that name, or no version that number
   * @throws IllegalStateException if this store is closed, or the runtime cannot be used
   */
  public Entry load(String name, long version) {
    Path bundle = folders.bundle(name, version);
    return change(
        name,
        version,
        versions -> {
          LoadedVersion found = versions.find(version);
          if (found == null) {
            long began = System.nanoTime();
            found = read(bundle, name, version);
            if (!versions.add(found, since(began))) {
              found.discard();
              throw new IllegalStateException(CLOSED);
            }
          }
          return new Change(found, List.of());
        });
  }

  /**
   * Makes a version the one that {@link #acquire(String)} gives, loading it first if it is not. Of
   * the versions that were active before, {@link StoreOptions#previous} stay loaded to roll back
   * to; those before are unloaded. Does nothing if the version is active.
   *
   * @throws BundleException if it is unusable; with the code {@code incompatible_version} if
   *     requests made for the active version might be refused by it, with every difference
   * @throws IllegalArgumentException if no model can have that name, or no version that number
   * @throws IllegalStateException if this store is closed, or the runtime cannot be used
   */
  public Entry activate(String name, long version) {
    return activate(name, version, Differences.REFUSE);
  }

  /**
   * Makes a version the one that {@link #acquire(String)} gives, as {@link #activate(String, long)}
   * does.
   *
   * @param differences whether requests made for the active version may be refused by it
   */
  public Entry activate(String name, long version, Differences differences) {
    Path bundle = folders.bundle(name, version);
    ModelVersions.Check check =
        differences == Differences.ALLOW
            ? (from, to) -> {}
            : (from, to) -> Compatibility.check(bundle, from, to);
    return change(name, version, versions -> activate(versions, bundle, version, check));
  }

  private Change activate(
      ModelVersions versions, Path bundle, long version, ModelVersions.Check check) {
    while (true) {
      LoadedVersion to = versions.find(version);
      Duration took = null;
      if (to == null) {
        long began = System.nanoTime();
        to = read(bundle, versions.name(), version);
        took = since(began);
      }
      Optional<Change> change = Optional.empty();
      try {
        change = versions.activate(to, took, check, options.previous());
      } finally {
        if (change.isEmpty() && took != null) {
          to.discard();
        }
      }
      if (change.isPresent()) {
        return change.get();
      }
      if (closed) {
        throw new IllegalStateException(CLOSED);
      }
      // It was unloaded between the look and the change: it is read again.
    }
  }

  private Entry change(String name, long version, Function<ModelVersions, Change> body) {
    ModelVersions versions =
        byName.computeIfAbsent(name, key -> new ModelVersions(key, events, retired));
    try {
      if (versions.find(version) == null) {
        events.add(listener -> listener.loading(name, version));
        events.tell();
      }
      Change change;
      versions.loading().lock();
      try {
        if (closed) {
          throw new IllegalStateException(CLOSED);
        }
        change = body.apply(versions);
      } finally {
        versions.loading().unlock();
      }
      return done(versions, change);
    } catch (BundleException | IllegalStateException e) {
      events.add(listener -> listener.failed(name, version, e));
      events.tell();
      throw e;
    }
  }

  private Entry done(ModelVersions versions, Change change) {
    Entry entry = versions.entry(change.now());
    events.tell();
    change.dropped().forEach(LoadedVersion::retire);
    return entry;
  }

  private LoadedVersion read(Path bundle, String name, long version) {
    Model model = Model.open(bundle, options.model(), Optional.of(name));
    return new LoadedVersion(model, version, this::freed);
  }

  private static Duration since(long began) {
    return Duration.ofNanos(System.nanoTime() - began);
  }

  /**
   * Makes the version active again that was so before, without reading anything; the one that it
   * replaces is unloaded. Whether the two agree is not asked.
   *
   * @return the version that is active now
   * @throws IllegalStateException if no version that was active before is loaded, or this store is
   *     closed
   */
  public Entry rollback(String name) {
    ModelVersions versions = byName.get(name);
    if (closed || versions == null) {
      throw new IllegalStateException(closed ? CLOSED : notLoaded(name));
    }
    return done(versions, versions.rollback());
  }

  /**
   * Unloads a version: nobody acquires it any more, and when its last lease is closed, its memory
   * is given back. If there is no lease, that has happened when this returns.
   *
   * @throws IllegalStateException if the version is active, or this store is closed
   * @throws NoSuchElementException if the version is not loaded
   */
  public void unload(String name, long version) {
    if (closed) {
      throw new IllegalStateException(CLOSED);
    }
    ModelVersions versions = byName.get(name);
    LoadedVersion taken = versions == null ? null : versions.take(version);
    if (taken == null) {
      throw refused(notLoaded(name, version));
    }
    taken.retire();
  }

  /**
   * Unloads every version of a name, the active one too: nobody acquires the model any more, until
   * a version of it is activated again. A version that is being read meanwhile is not among them.
   * If there is no lease, the memory has been given back when this returns.
   *
   * @return the versions that were unloaded, ascending
   * @throws IllegalStateException if this store is closed
   * @throws NoSuchElementException if no version of that name is loaded
   */
  public List<Long> unload(String name) {
    if (closed) {
      throw new IllegalStateException(CLOSED);
    }
    ModelVersions versions = byName.get(name);
    List<LoadedVersion> taken = versions == null ? List.of() : versions.takeAll();
    if (taken.isEmpty()) {
      throw refused("no version of " + Quote.of(name) + " is loaded");
    }
    taken.forEach(LoadedVersion::retire);
    return taken.stream().map(LoadedVersion::version).toList();
  }

  /**
   * Leases the active version of a model. Waits for nobody.
   *
   * @throws NoSuchElementException if no version of that name is active
   * @throws IllegalStateException if this store is closed
   */
  public Lease acquire(String name) {
    ModelVersions versions = byName.get(name);
    LoadedVersion leased = versions == null ? null : versions.lease();
    if (leased == null) {
      throw refused(notLoaded(name));
    }
    return new Lease(leased);
  }

  /**
   * Leases a version of a model, be it active or not. Waits for nobody.
   *
   * @throws NoSuchElementException if the version is not loaded
   * @throws IllegalStateException if this store is closed
   */
  public Lease acquire(String name, long version) {
    ModelVersions versions = byName.get(name);
    LoadedVersion leased = versions == null ? null : versions.lease(version);
    if (leased == null) {
      throw refused(notLoaded(name, version));
    }
    return new Lease(leased);
  }

  private RuntimeException refused(String detail) {
    return closed ? new IllegalStateException(CLOSED) : new NoSuchElementException(detail);
  }

  private String notLoaded(String name) {
    return "no version of "
        + Quote.of(name)
        + " is active; active: "
        + listed(entries(), entry -> entry.state() == State.ACTIVE)
        + "; activate one first";
  }

  private String notLoaded(String name, long version) {
    return "version "
        + version
        + " of "
        + Quote.of(name)
        + " is not loaded; of that name: "
        + listed(entries(), entry -> entry.name().equals(name) && entry.state() != State.RETIRED)
        + "; load it first";
  }

  private static String listed(List<Entry> entries, Predicate<Entry> which) {
    String found =
        entries.stream()
            .filter(which)
            .map(entry -> entry.name() + "/" + entry.version())
            .collect(Collectors.joining(", "));
    return found.isEmpty() ? "none" : found;
  }

  /**
   * Returns what is in memory, by name and version; of a version that was unloaded and loaded again
   * while it had leases, both. A snapshot.
   */
  public List<Entry> entries() {
    List<Entry> entries = new ArrayList<>();
    for (ModelVersions versions : byName.values()) {
      for (LoadedVersion each : versions.loaded()) {
        entries.add(versions.entry(each));
      }
    }
    retired.forEach(each -> entries.add(Entry.of(each, State.RETIRED)));
    entries.sort(
        Comparator.comparing(Entry::name)
            .thenComparing(Entry::version)
            .thenComparing(Entry::state));
    return entries;
  }

  /**
   * Closes the store: nobody acquires any more, what is being read is awaited and discarded, and
   * every version is freed when its last lease is closed. Waits for that, so a thread that holds a
   * lease must not call it. Idempotent.
   */
  @Override
  public void close() {
    boolean interrupted = false;
    while (true) {
      try {
        if (close(Duration.ofNanos(Long.MAX_VALUE))) {
          break;
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Closes the store as {@link #close()} does, but waits no longer than said. What was not freed by
   * then is freed when its last lease is closed.
   *
   * @return whether everything has been freed
   * @throws InterruptedException if the caller is interrupted while it waits; the store is closed
   */
  public boolean close(Duration limit) throws InterruptedException {
    TimeLeft left = TimeLeft.of(limit);
    closed = true;
    for (ModelVersions versions : byName.values()) {
      versions.close().forEach(LoadedVersion::retireElsewhere);
    }
    for (ModelVersions versions : byName.values()) {
      if (!versions.loading().tryLock(left.now(), TimeUnit.NANOSECONDS)) {
        return false;
      }
      versions.loading().unlock();
    }
    for (LoadedVersion each : retired) {
      if (!each.awaitFreed(left.now())) {
        return false;
      }
    }
    return true;
  }

  private void freed(LoadedVersion version) {
    retired.remove(version);
    version.forgotten();
    events.add(listener -> listener.unloaded(version.model().name(), version.version()));
    events.tell();
  }

  /**
   * Keeps a version usable. Thread-safe; the model may be used by any number of threads, but not
   * after {@link #close}.
   *
   * @since 0.1
   */
  public static final class Lease implements AutoCloseable {
    private static final VarHandle HELD;

    static {
      try {
        HELD = MethodHandles.lookup().findVarHandle(Lease.class, "held", LoadedVersion.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private final LoadedVersion leased;
    private volatile LoadedVersion held;

    private Lease(LoadedVersion leased) {
      this.leased = leased;
      this.held = leased;
    }

    /**
     * Returns the model. Do not close it: the store does.
     *
     * @throws IllegalStateException if this lease is closed
     */
    public Model model() {
      if (held == null) {
        throw new IllegalStateException("this lease is closed; acquire one for each request");
      }
      return leased.model();
    }

    /** Returns the number of the version. */
    public long version() {
      return leased.version();
    }

    /** Gives the lease back. Idempotent; does not wait. */
    @Override
    public void close() {
      LoadedVersion mine = (LoadedVersion) HELD.getAndSet(this, null);
      if (mine != null) {
        mine.leave();
      }
    }
  }
}
