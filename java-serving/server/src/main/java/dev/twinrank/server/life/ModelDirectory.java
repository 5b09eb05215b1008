package dev.twinrank.server.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.StoreListener;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.core.Verification.SignatureState;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens of every model under {@code <models>/<name>/<version>} the version that {@code
 * <name>/active} names, or the newest where there is no such file.
 */
public final class ModelDirectory {
  private static final Logger LOG = LoggerFactory.getLogger(ModelDirectory.class);

  private final Path root;
  private final LifeSettings settings;
  private final ModelOptions options;
  private final LoadListener loads;

  /** Makes a directory of which everything is served, with the defaults. */
  public ModelDirectory(Path root, ModelOptions options) {
    this(root, LifeSettings.defaults(), options, result -> {});
  }

  /**
   * Makes a directory.
   *
   * @param options how every bundle is opened
   * @param loads hears how each attempt to load one ends
   */
  public ModelDirectory(
      Path root, LifeSettings settings, ModelOptions options, LoadListener loads) {
    this.root = root;
    this.settings = settings;
    this.options = options;
    this.loads = loads;
  }

  /**
   * Opens and verifies one bundle of each name, one after the other.
   *
   * @param cancelled asked before each bundle; true ends the loading
   * @return every model, or empty if it was cancelled; nothing stays open then
   * @throws StartException if a single bundle is unusable, or there is none; it carries the
   *     problems of all, and nothing stays open
   */
  public Optional<Models> open(BooleanSupplier cancelled) {
    Set<String> served = ConcurrentHashMap.newKeySet();
    ModelStore store = store(new Lifecycle.Teller(loads, served));
    Clock clock = Clock.systemUTC();
    Lifecycle lifecycle = new Lifecycle(root, settings, store, clock);
    Watcher watcher = new Watcher(root, lifecycle, clock, System::nanoTime);
    boolean complete = false;
    try {
      List<String> problems = new ArrayList<>();
      for (Map.Entry<String, List<Long>> found : discover(store, problems).entrySet()) {
        if (cancelled.getAsBoolean()) {
          return Optional.empty();
        }
        String name = found.getKey();
        Optional<Pointer> pointer = Pointer.read(root.resolve(name));
        activate(store, name, found.getValue(), pointer, problems);
        pointer.ifPresent(each -> watcher.followed(name, each));
      }
      if (!problems.isEmpty()) {
        throw new StartException(problems);
      }
      complete = true;
      return Optional.of(Models.of(store, lifecycle, watcher, served));
    } finally {
      if (!complete) {
        watcher.close();
        store.close();
      }
    }
  }

  private ModelStore store(StoreListener listener) {
    try {
      return ModelStore.open(
          root,
          StoreOptions.builder()
              .model(options)
              .previous(settings.previous())
              .listener(listener)
              .build());
    } catch (UncheckedIOException e) {
      throw new StartException(List.of(e.getMessage()), e);
    }
  }

  private Map<String, List<Long>> discover(ModelStore store, List<String> problems) {
    ModelStore.OnDisk found;
    try {
      found = store.discover();
    } catch (UncheckedIOException e) {
      throw new StartException(List.of(e.getMessage()), e);
    }
    for (Path each : found.passedOver()) {
      LOG.warn(
          "{} is passed over: its name is no version (a positive integer)",
          Text.printable(each.toString()));
    }
    if (found.versions().isEmpty()) {
      throw new StartException(
          List.of(
              root + ": holds no model; expected " + root.resolve("<name>").resolve("<version>")));
    }
    for (String name : new TreeSet<>(settings.only())) {
      if (!found.versions().containsKey(name)) {
        problems.add(
            "--model %s: there is no %s; there are: %s"
                .formatted(name, root.resolve(name), String.join(", ", found.versions().keySet())));
      }
    }
    Map<String, List<Long>> wanted = new TreeMap<>(found.versions());
    wanted.keySet().removeIf(name -> !settings.wants(name));
    return wanted;
  }

  private void activate(
      ModelStore store,
      String name,
      List<Long> versions,
      Optional<Pointer> pointer,
      List<String> problems) {
    Path directory = root.resolve(name);
    if (versions.isEmpty()) {
      problems.add(
          "%s: holds no version; expected %s (--models names the directory above the models)"
              .formatted(directory, directory.resolve("<version>")));
      return;
    }
    Optional<String> wrong = pointer.flatMap(Pointer::problem);
    if (wrong.isPresent()) {
      problems.add(wrong.get());
      return;
    }
    long version =
        pointer.isPresent()
            ? pointer.get().version().getAsLong()
            : versions.get(versions.size() - 1);
    if (!versions.contains(version)) {
      problems.add(
          "%s names version %d, which is not there; there are: %s"
              .formatted(directory.resolve(Pointer.FILE), version, versions));
      return;
    }
    Path bundle = directory.resolve(Long.toString(version));
    try {
      warn(bundle, store.activate(name, version).verification());
    } catch (BundleException e) {
      problems.add(e.getMessage());
    } catch (IllegalArgumentException e) {
      problems.add("%s: %s".formatted(Text.printable(directory.toString()), e.getMessage()));
    } catch (IllegalStateException e) {
      problems.add("%s: the runtime cannot be used: %s".formatted(bundle, e.getMessage()));
    }
  }

  /** Logs what an operator should know of a bundle that may serve. */
  private static void warn(Path bundle, Verification verification) {
    for (Allowed allowed : verification.allowed()) {
      LOG.warn(
          "{} was exported although {} was found ({}); it was allowed because: {}",
          bundle,
          allowed.finding(),
          Text.printable(allowed.detail()),
          Text.printable(allowed.reason()));
    }
    if (verification.signature() == SignatureState.MISSING) {
      LOG.warn("{} is not signed", bundle);
    } else if (verification.signature() == SignatureState.INVALID) {
      LOG.warn(
          "{} has no valid signature: it {}",
          bundle,
          Text.printable(verification.signatureDetail()));
    }
  }
}
