package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import dev.twinrank.core.internal.jni.JniEngineProvider;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

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

  private static final String AUTO = "auto";

  private Engines() {}

  private static final class Holder {
    static final Engine INSTANCE = choose(providers(), System.getProperty(PROPERTY, AUTO)).start();
  }

  /**
   * Returns the engine; it is started by the first call.
   *
   * @throws IllegalStateException if it cannot be started, or the one that is named cannot be used
   */
  public static Engine get() {
    try {
      return Holder.INSTANCE;
    } catch (ExceptionInInitializerError e) {
      if (e.getCause() instanceof IllegalStateException cause) {
        throw cause;
      }
      throw e;
    } catch (NoClassDefFoundError e) {
      // The second attempt finds only that the first one failed; that one has said why.
      throw new IllegalStateException(
          "ONNX Runtime could not be loaded in this process; the first failure says why", e);
    }
  }

  /** Returns every provider that this process finds, the preferred first. */
  static List<EngineProvider> providers() {
    List<EngineProvider> found = new ArrayList<>();
    found.add(new JniEngineProvider());
    ServiceLoader.load(EngineProvider.class, Engines.class.getClassLoader()).forEach(found::add);
    found.sort(Comparator.comparingInt(EngineProvider::preference).reversed());
    return found;
  }

  /** Chooses. */
  static EngineProvider choose(List<EngineProvider> providers, String wanted) {
    for (EngineProvider provider : providers) {
      Optional<String> reason = provider.unavailable();
      if (wanted.equals(provider.name()) && reason.isPresent()) {
        throw new IllegalStateException(
            "the engine '" + wanted + "' cannot be used in this process: " + reason.get());
      }
      if (wanted.equals(provider.name()) || (wanted.equals(AUTO) && reason.isEmpty())) {
        return provider;
      }
    }
    throw new IllegalStateException(
        "the system property "
            + PROPERTY
            + " is '"
            + wanted
            + "'; this process finds "
            + providers.stream().map(EngineProvider::name).collect(Collectors.joining(", "))
            + ", or say "
            + AUTO);
  }
}
