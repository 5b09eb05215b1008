package dev.twinrank.server;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.core.Verification.SignatureState;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the newest version of every model under {@code <models>/<name>/<version>}. */
final class ModelDirectory {
  private static final Logger LOG = LoggerFactory.getLogger(ModelDirectory.class);

  private final Path root;
  private final ModelOptions options;

  ModelDirectory(Path root, ModelOptions options) {
    this.root = root;
    this.options = options;
  }

  /**
   * Opens and verifies one bundle of each name, one after the other.
   *
   * @param cancelled asked before each bundle; true ends the loading
   * @return every model, or empty if it was cancelled; nothing stays open then
   * @throws StartException if a single bundle is unusable, or there is none; it carries the
   *     problems of all, and nothing stays open
   */
  Optional<Models> open(BooleanSupplier cancelled) {
    ModelStore store = store();
    boolean complete = false;
    try {
      List<String> problems = new ArrayList<>();
      for (Map.Entry<String, List<Long>> found : discover(store).entrySet()) {
        if (cancelled.getAsBoolean()) {
          return Optional.empty();
        }
        activateNewest(store, found.getKey(), found.getValue(), problems);
      }
      if (!problems.isEmpty()) {
        throw new StartException(problems);
      }
      complete = true;
      return Optional.of(Models.of(store));
    } finally {
      if (!complete) {
        store.close();
      }
    }
  }

  private ModelStore store() {
    try {
      return ModelStore.open(root, StoreOptions.builder().model(options).build());
    } catch (UncheckedIOException e) {
      throw new StartException(List.of(e.getMessage()), e);
    }
  }

  private Map<String, List<Long>> discover(ModelStore store) {
    ModelStore.OnDisk found;
    try {
      found = store.discover();
    } catch (UncheckedIOException e) {
      throw new StartException(List.of(e.getMessage()), e);
    }
    for (Path each : found.passedOver()) {
      LOG.warn(
          "{} is passed over: its name is no version (a positive integer)",
          printable(each.toString()));
    }
    if (found.versions().isEmpty()) {
      throw new StartException(
          List.of(
              root + ": holds no model; expected " + root.resolve("<name>").resolve("<version>")));
    }
    return found.versions();
  }

  private void activateNewest(
      ModelStore store, String name, List<Long> versions, List<String> problems) {
    Path directory = root.resolve(name);
    if (versions.isEmpty()) {
      problems.add(
          "%s: holds no version; expected %s (--models names the directory above the models)"
              .formatted(directory, directory.resolve("<version>")));
      return;
    }
    long newest = versions.get(versions.size() - 1);
    Path bundle = directory.resolve(Long.toString(newest));
    try {
      warn(bundle, store.activate(name, newest).verification());
    } catch (BundleException e) {
      problems.add(e.getMessage());
    } catch (IllegalArgumentException e) {
      problems.add("%s: %s".formatted(printable(directory.toString()), e.getMessage()));
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
          printable(allowed.detail()),
          printable(allowed.reason()));
    }
    if (verification.signature() == SignatureState.MISSING) {
      LOG.warn("{} is not signed", bundle);
    } else if (verification.signature() == SignatureState.INVALID) {
      LOG.warn(
          "{} has no valid signature: it {}", bundle, printable(verification.signatureDetail()));
    }
  }

  /** Returns a bundle's text on one line: it must not look like a line of the log. */
  private static String printable(String text) {
    return text.replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+", " ");
  }
}
