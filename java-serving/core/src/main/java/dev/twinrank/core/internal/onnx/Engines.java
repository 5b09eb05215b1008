package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import dev.twinrank.core.internal.jni.JniEngineProvider;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The engine of this process: chosen once, of those that can be used the preferred one, or the one
 * that the system property {@code twinrank.engine} names. Thread-safe.
 *
 * <p>One engine a process, because two would be two native runtimes, and a bundle's proof speaks of
 * the one that runs it.
 */
public final class Engines {
  /** Names the engine; nothing or {@code auto} chooses. */
  public static final String PROPERTY = "twinrank.engine";

  static final String AUTO = "auto";
  private static final String FFM = "ffm";

  // A class path can name any number of engines; a loader that fails forever names none.
  private static final int FAILURES = 16;

  private static final Object LOCK = new Object();
  private static Choice choice;
  private static Engine engine;
  private static String failure;

  private Engines() {}

  /**
   * What was found, and which of it runs.
   *
   * @param chosen the one that runs
   * @param found every one, the preferred first
   */
  record Choice(EngineProvider chosen, List<Found> found) {}

  /**
   * One engine.
   *
   * @param name its name; {@code unknown} if what should have brought it cannot be loaded
   * @param chosen whether it is the one that runs
   * @param reason why, or why not
   */
  public record Found(String name, boolean chosen, String reason) {}

  /** Providers, and what could not become one. */
  record Search(List<EngineProvider> providers, List<Found> broken) {}

  /**
   * Returns the engine; it is started by the first call, and if that fails, every call says why.
   *
   * @throws IllegalStateException if it cannot be started, or the one that is named cannot be used
   */
  public static Engine get() {
    synchronized (LOCK) {
      if (failure != null) {
        throw new IllegalStateException(failure);
      }
      if (engine == null) {
        try {
          engine = choice().chosen().start();
        } catch (IllegalStateException e) {
          failure = e.getMessage();
          throw e;
        }
      }
      return engine;
    }
  }

  /**
   * Returns every engine that was found, the preferred first; starts none.
   *
   * @throws IllegalStateException if the one that is named cannot be used
   */
  public static List<Found> found() {
    return choice().found();
  }

  private static Choice choice() {
    synchronized (LOCK) {
      if (choice == null) {
        choice = choose(search(Engines.class.getClassLoader()), System.getProperty(PROPERTY, AUTO));
      }
      return choice;
    }
  }

  /** Looks for providers; one that this JVM cannot load is no reason to run none. */
  static Search search(ClassLoader loader) {
    List<EngineProvider> providers = new ArrayList<>();
    List<Found> broken = new ArrayList<>();
    providers.add(new JniEngineProvider());
    Iterator<EngineProvider> services = ServiceLoader.load(EngineProvider.class, loader).iterator();
    while (broken.size() < FAILURES) {
      try {
        if (!services.hasNext()) {
          break;
        }
        providers.add(services.next());
      } catch (ServiceConfigurationError | LinkageError e) {
        broken.add(new Found("unknown", false, "it cannot be loaded: " + e.getMessage()));
      }
    }
    providers.sort(Comparator.comparingInt(EngineProvider::preference).reversed());
    return new Search(providers, broken);
  }

  /** Chooses. */
  static Choice choose(Search search, String wanted) {
    EngineProvider chosen = null;
    List<Found> found = new ArrayList<>();
    for (EngineProvider provider : search.providers()) {
      Optional<String> unavailable = provider.unavailable();
      boolean named = wanted.equals(provider.name());
      if (named && unavailable.isPresent()) {
        throw new IllegalStateException(
            "the engine '" + wanted + "' cannot be used in this process: " + unavailable.get());
      }
      boolean takes = chosen == null && (named || (wanted.equals(AUTO) && unavailable.isEmpty()));
      if (takes) {
        chosen = provider;
      }
      found.add(new Found(provider.name(), takes, reason(takes, unavailable, wanted, chosen)));
    }
    found.addAll(search.broken());
    if (chosen == null) {
      throw unknown(wanted, found, search.broken());
    }
    return new Choice(chosen, List.copyOf(found));
  }

  private static String reason(
      boolean takes, Optional<String> unavailable, String wanted, EngineProvider chosen) {
    if (unavailable.isPresent()) {
      return unavailable.get();
    }
    if (!wanted.equals(AUTO)) {
      return "the system property " + PROPERTY + " names " + wanted;
    }
    return takes ? "preferred of those that can be used" : chosen.name() + " is preferred";
  }

  private static IllegalStateException unknown(
      String wanted, List<Found> found, List<Found> broken) {
    String names =
        Stream.concat(
                found.stream().filter(each -> !broken.contains(each)).map(Found::name),
                Stream.of(AUTO))
            .collect(Collectors.joining(", "));
    String failures =
        broken.stream().map(each -> "; of another, " + each.reason()).collect(Collectors.joining());
    return new IllegalStateException(
        "the system property "
            + PROPERTY
            + " is '"
            + wanted
            + "'; this process can say "
            + names
            + failures
            + (wanted.equals(FFM) && broken.isEmpty()
                ? "; put the artifact dev.twinrank:twinrank-ffm on its path"
                : ""));
  }
}
