package dev.twinrank.core;

import dev.twinrank.core.internal.onnx.Engines;
import dev.twinrank.core.internal.onnx.HostClass;

/**
 * Facts about the runtime of this process. Thread-safe.
 *
 * @since 0.1
 */
public final class Runtimes {
  private Runtimes() {}

  /**
   * Returns the class of this host: a digest of what its kernels compute, as 64 lower-case hex
   * digits. Computed once a process by running the canary graph.
   *
   * @throws IllegalStateException if the runtime cannot be loaded or its canary cannot be run
   */
  public static String hostClass() {
    return HostClass.get();
  }

  /**
   * Returns the runtime and its release, for example {@code onnxruntime 1.29.0}.
   *
   * @throws IllegalStateException if the runtime cannot be loaded
   */
  public static String runtime() {
    return "onnxruntime " + Engines.get().release();
  }
}
