package dev.twinrank.server.oip;

import java.util.List;

/**
 * What a model says of an input or output. Immutable and thread-safe.
 *
 * @param name the tensor's name
 * @param datatype the type of its elements; inputs take other types too that convert by the
 *     contract's rules
 * @param shape −1 for a size that varies
 * @param optional whether a request may leave it out
 */
public record TensorCard(String name, Datatype datatype, List<Long> shape, boolean optional) {
  /** Copies the shape. */
  public TensorCard {
    shape = List.copyOf(shape);
  }

  /** Returns the type as model configurations name it. */
  public String configType() {
    return datatype == Datatype.BYTES ? "TYPE_STRING" : "TYPE_" + datatype.name();
  }
}
