package dev.twinrank.vector;

import dev.twinrank.core.internal.trees.Forest;
import dev.twinrank.core.internal.trees.TreeKernel;
import dev.twinrank.core.internal.trees.TreeKernelProvider;
import java.util.List;
import java.util.Optional;

/**
 * Brings the kernels where the JVM can run them. Thread-safe.
 *
 * <p>This class is Java 17, all else is Java 25: an older JVM can load this much, and be told what
 * it lacks.
 */
public final class VectorKernelProvider implements TreeKernelProvider {
  /** The provider's name. */
  public static final String NAME = "vector";

  private static final int LEAST_RELEASE = 25;
  private static final String MODULE = "jdk.incubator.vector";
  private static final String KERNELS = "dev.twinrank.vector.VectorKernels";

  /** For {@link java.util.ServiceLoader}. */
  public VectorKernelProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Optional<String> unavailable() {
    int release = Runtime.version().feature();
    if (release < LEAST_RELEASE) {
      return Optional.of(
          "it needs Java " + LEAST_RELEASE + " or newer, and this is Java " + release);
    }
    if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
      return Optional.of("it needs the flag --add-modules " + MODULE);
    }
    try {
      return made().unavailable();
    } catch (LinkageError e) {
      return Optional.of("the Vector API of Java " + release + " is another one: " + e);
    }
  }

  @Override
  public List<TreeKernel> kernels(Forest forest) {
    return made().kernels(forest);
  }

  private static TreeKernelProvider made() {
    try {
      return Class.forName(KERNELS)
          .asSubclass(TreeKernelProvider.class)
          .getDeclaredConstructor()
          .newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("the jar of twinrank-vector lacks " + KERNELS, e);
    }
  }
}
