package dev.twinrank.core.internal.proto;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * What the manifest says of a graph.
 *
 * @param irVersion its IR version
 * @param opsets the operator sets that it imports, by domain
 * @param inputs its inputs in order
 * @param outputs its outputs in order
 * @param externalBytes the size of {@code model.onnx.data}, if the manifest lists one
 */
public record GraphRules(
    long irVersion,
    Map<String, Long> opsets,
    List<Signature> inputs,
    List<Signature> outputs,
    OptionalLong externalBytes) {

  /**
   * An input or output.
   *
   * @param name its name
   * @param type ONNX's number of its type; 0 for what is no tensor
   * @param shape its dimensions, −1 for one that varies
   */
  public record Signature(String name, long type, List<Long> shape) {
    @Override
    public String toString() {
      return "'" + name + "' of type " + type + " and shape " + shape;
    }
  }
}
