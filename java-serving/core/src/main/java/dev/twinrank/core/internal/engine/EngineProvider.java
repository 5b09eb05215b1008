package dev.twinrank.core.internal.engine;

import java.util.Optional;

/**
 * Brings an engine; found by {@link java.util.ServiceLoader}. Thread-safe, loads nothing native.
 */
public interface EngineProvider {

  /** Returns the engine's name: {@code jni} or {@code ffm}. */
  String name();

  /** Returns its place when nobody forces one: of those available, the highest is taken. */
  int preference();

  /**
   * Returns why this process cannot use the engine, or nothing.
   *
   * <p>Cheap: it looks at the JVM's release, its flags and the class path, and loads nothing
   * native.
   */
  Optional<String> unavailable();

  /**
   * Starts the engine. The core calls it once a process.
   *
   * @throws IllegalStateException if the native library cannot be loaded or made safe; the message
   *     says what to do
   */
  Engine start();
}
