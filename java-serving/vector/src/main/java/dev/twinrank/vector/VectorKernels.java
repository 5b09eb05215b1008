package dev.twinrank.vector;

import dev.twinrank.core.internal.trees.Bitvectors;
import dev.twinrank.core.internal.trees.Forest;
import dev.twinrank.core.internal.trees.TreeKernel;
import dev.twinrank.core.internal.trees.TreeKernelProvider;
import java.util.List;
import java.util.Optional;
import jdk.incubator.vector.IntVector;

/** What {@link VectorKernelProvider} finds by name where the Vector API is there. Thread-safe. */
final class VectorKernels implements TreeKernelProvider {
  private static final int LEAST_LANES = 4;
  private static final int MOST_LANES = 64;

  VectorKernels() {}

  @Override
  public String name() {
    return VectorKernelProvider.NAME;
  }

  @Override
  public Optional<String> unavailable() {
    int lanes = IntVector.SPECIES_PREFERRED.length();
    return lanes >= LEAST_LANES && lanes <= MOST_LANES
        ? Optional.empty()
        : Optional.of("this processor's vectors hold " + lanes + " numbers");
  }

  @Override
  public List<TreeKernel> kernels(Forest forest) {
    return Bitvectors.of(forest)
        .map(vectors -> List.<TreeKernel>of(new VectorBitvectorKernel(forest, vectors)))
        .orElseGet(List::of);
  }
}
