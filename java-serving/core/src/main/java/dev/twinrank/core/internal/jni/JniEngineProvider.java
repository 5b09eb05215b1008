package dev.twinrank.core.internal.jni;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import java.util.Optional;

/** Brings the engine that runs everywhere. Thread-safe. */
public final class JniEngineProvider implements EngineProvider {
  /** The engine's name. */
  public static final String NAME = "jni";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int preference() {
    return 0;
  }

  @Override
  public Optional<String> unavailable() {
    return Optional.empty();
  }

  @Override
  public Engine start() {
    return new JniEngine(OrtHost.get());
  }
}
