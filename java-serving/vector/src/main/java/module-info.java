/**
 * Kernels for trees over the JDK's Vector API, which still incubates: they need Java 25 or newer
 * and {@code --add-modules jdk.incubator.vector}; without them the core scores by its own kernels.
 */
module dev.twinrank.vector {
  requires dev.twinrank.core;
  requires static jdk.incubator.vector;

  provides dev.twinrank.core.internal.trees.TreeKernelProvider with
      dev.twinrank.vector.VectorKernelProvider;
}
