package dev.twinrank.core.internal.trees;

import java.util.List;
import java.util.Optional;

/** Brings kernels of its own; found by {@link java.util.ServiceLoader}. Thread-safe. */
public interface TreeKernelProvider {

  /** Returns its name, for people. */
  String name();

  /** Returns why this process cannot use it, or nothing. */
  Optional<String> unavailable();

  /** Makes the kernels that take a forest, the likely fastest first; perhaps none. */
  List<TreeKernel> kernels(Forest forest);
}
