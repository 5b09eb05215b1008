package dev.twinrank.core;

import dev.twinrank.core.internal.onnx.Engines;
import dev.twinrank.core.internal.onnx.HostClass;
import java.util.List;

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

  /**
   * Returns the name of the engine that calls the runtime: {@code jni} (the official binding) or
   * {@code ffm} (the artifact twinrank-ffm). Both compute the same bits.
   *
   * @throws IllegalStateException if the runtime cannot be loaded
   */
  public static String engine() {
    return Engines.get().name();
  }

  /**
   * Returns every engine that this process finds, the preferred first, and why each runs or does
   * not. It starts none.
   *
   * @throws IllegalStateException if the system property {@code twinrank.engine} names one that
   *     cannot be used
   */
  public static List<FoundEngine> engines() {
    return Engines.found().stream()
        .map(each -> new FoundEngine(each.name(), each.chosen(), each.reason()))
        .toList();
  }

  /**
   * An engine that this process finds. Immutable.
   *
   * @param name {@code jni} or {@code ffm}; {@code unknown} if it cannot be loaded
   * @param chosen whether it is the one that runs
   * @param reason why it runs, or why it does not
   * @since 0.1
   */
  public record FoundEngine(String name, boolean chosen, String reason) {}
}
