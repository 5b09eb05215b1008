package dev.twinrank.server;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.server.Models.Served;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the newest version of every model under {@code <models>/<name>/<version>}. */
final class ModelDirectory {
  private static final Logger LOG = LoggerFactory.getLogger(ModelDirectory.class);

  // At most 18 digits, so that every match fits a long.
  private static final Pattern VERSION = Pattern.compile("[1-9][0-9]{0,17}");

  // Attestations of a version; they lie beside it and belong to it.
  private static final Pattern ATTESTATIONS = Pattern.compile("[1-9][0-9]{0,17}\\.attest");

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
    Map<String, Served> opened = new TreeMap<>();
    List<String> problems = new ArrayList<>();
    boolean complete = false;
    try {
      for (Path directory : names()) {
        Optional<Path> newest = newest(directory, problems);
        if (cancelled.getAsBoolean()) {
          return Optional.empty();
        }
        newest.ifPresent(bundle -> open(bundle, opened, problems));
      }
      if (!problems.isEmpty()) {
        throw new StartException(problems);
      }
      complete = true;
      return Optional.of(new Models(opened));
    } finally {
      if (!complete) {
        new Models(opened).close();
      }
    }
  }

  private List<Path> names() {
    List<Path> names = directories(root);
    if (names.isEmpty()) {
      throw new StartException(
          List.of(
              root + ": holds no model; expected " + root.resolve("<name>").resolve("<version>")));
    }
    return names;
  }

  private void open(Path bundle, Map<String, Served> opened, List<String> problems) {
    String name = bundle.getParent().getFileName().toString();
    try {
      Model model = Model.open(bundle, options);
      opened.put(name, new Served(model, versionOf(bundle)));
      warn(bundle, model.verification());
      if (!model.name().equals(name)) {
        problems.add(
            "%s: the manifest names the model '%s'; the directory must have that name"
                .formatted(bundle, model.name()));
      }
    } catch (BundleException e) {
      problems.add(e.getMessage());
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

  private static Optional<Path> newest(Path directory, List<String> problems) {
    List<Path> versions = new ArrayList<>();
    for (Path candidate : directories(directory)) {
      String name = candidate.getFileName().toString();
      if (VERSION.matcher(name).matches()) {
        versions.add(candidate);
      } else if (!ATTESTATIONS.matcher(name).matches()) {
        LOG.warn(
            "{} is passed over: its name is no version (a positive integer)",
            printable(candidate.toString()));
      }
    }
    Optional<Path> newest =
        versions.stream().max(Comparator.comparingLong(ModelDirectory::versionOf));
    if (newest.isEmpty()) {
      problems.add(
          "%s: holds no version; expected %s (--models names the directory above the models)"
              .formatted(directory, directory.resolve("<version>")));
    }
    return newest;
  }

  private static long versionOf(Path bundle) {
    return Long.parseLong(bundle.getFileName().toString());
  }

  // Names that begin with a dot are not models: a writer's .tmp- siblings are unfinished, the
  // others are not ours.
  private static List<Path> directories(Path parent) {
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(parent)) {
      for (Path entry : entries) {
        if (!entry.getFileName().toString().startsWith(".") && Files.isDirectory(entry)) {
          found.add(entry);
        }
      }
    } catch (IOException e) {
      throw new StartException(
          List.of(parent + ": is no directory that can be read (" + e + ")"), e);
    }
    found.sort(Comparator.naturalOrder());
    return found;
  }
}
