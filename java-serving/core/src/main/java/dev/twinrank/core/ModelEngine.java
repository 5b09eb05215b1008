package dev.twinrank.core;

import java.util.List;
import java.util.Objects;

/**
 * What scores a model, and why. The goldens were replayed over this and nothing else. Immutable and
 * thread-safe.
 *
 * @param name {@code onnxruntime}, or {@code java} for trees that this library scores itself, with
 *     the same bits
 * @param kernels how {@code java} scores each of the model's forests; empty for {@code onnxruntime}
 * @param reason why this one, for people: what was demanded, measured, or is not known
 * @since 0.1
 */
public record ModelEngine(String name, List<String> kernels, String reason) {
  /** Refuses nulls. */
  public ModelEngine {
    Objects.requireNonNull(name, "name");
    kernels = List.copyOf(kernels);
    Objects.requireNonNull(reason, "reason");
  }

  /** Returns it as one line, for a log. */
  @Override
  public String toString() {
    return name
        + (kernels.isEmpty() ? "" : " (" + String.join("; ", kernels) + ")")
        + ", because "
        + reason;
  }
}
