package dev.twinrank.core.internal.proto;

/**
 * What of a model decides how much native memory its session takes.
 *
 * @param modelBytes the size of model.onnx
 * @param externalBytes the size of model.onnx.data; 0 if there is none
 * @param largestExternal the size of the largest tensor in it
 * @param nodes how many nodes there are, those of subgraphs counted
 * @param elements how many values the attributes of ai.onnx.ml's nodes hold: entries of
 *     vocabularies, and the parts of trees
 */
public record Footprint(
    long modelBytes, long externalBytes, long largestExternal, long nodes, long elements) {
  // Measured, and rounded up: RATIONALE.md, "What does the budget of native memory charge?"
  private static final long SESSION = 1 << 20;
  private static final long NODE = 5 << 10;
  private static final long ELEMENT = 48;

  /**
   * Returns an upper bound of what a session keeps, in bytes: 1 MiB, twice the model (its weights,
   * and their packed copies or what the allocator does not return), the external weights once
   * (mapped, or packed copies), 5 KiB a node, and 48 bytes an element.
   */
  public long session() {
    return SESSION + 2 * modelBytes + externalBytes + NODE * nodes + ELEMENT * elements;
  }

  /**
   * Returns an upper bound of what creating it takes beside that, in bytes: the model once more,
   * and a copy of the largest external tensor.
   */
  public long loading() {
    return modelBytes + largestExternal;
  }
}
