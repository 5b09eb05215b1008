package dev.twinrank.ffm;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import java.util.Optional;

/**
 * Brings the engine where the JVM can run it. Thread-safe.
 *
 * <p>This class and the module's descriptor are Java 17, all else is Java 22: an older JVM can load
 * this much, and be told what it lacks.
 */
public final class FfmEngineProvider implements EngineProvider {
  /** The engine's name. */
  public static final String NAME = "ffm";

  private static final int PREFERENCE = 10;
  private static final int LEAST_RELEASE = 22;
  private static final String FOREIGN = "dev.twinrank.ffm.ForeignProvider";

  /** For {@link java.util.ServiceLoader}. */
  public FfmEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int preference() {
    return PREFERENCE;
  }

  @Override
  public Optional<String> unavailable() {
    int release = Runtime.version().feature();
    return release < LEAST_RELEASE
        ? Optional.of("it needs Java " + LEAST_RELEASE + " or newer, and this is Java " + release)
        : foreign().unavailable();
  }

  @Override
  public Engine start() {
    return foreign().start();
  }

  private static EngineProvider foreign() {
    try {
      return Class.forName(FOREIGN)
          .asSubclass(EngineProvider.class)
          .getDeclaredConstructor()
          .newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("the jar of twinrank-ffm lacks " + FOREIGN, e);
    }
  }
}
