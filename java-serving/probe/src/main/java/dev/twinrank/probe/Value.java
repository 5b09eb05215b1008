package dev.twinrank.probe;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** A value that flows into or out of a graph. */
sealed interface Value {

  /**
   * A tensor.
   *
   * @param type its elements' type
   * @param shape its axes
   * @param data its elements, row-major little-endian; of strings, each its length in bytes (u32
   *     little-endian) and its UTF-8
   */
  record Tensor(ElementType type, List<Long> shape, ByteBuffer data) implements Value {}

  /** A sequence of values. */
  record Sequence(List<Value> values) implements Value {}

  /**
   * A map as two tensors of one axis, sorted by key.
   *
   * @param keys int64 or string
   * @param values what each key stands for
   */
  record Mapping(Tensor keys, Tensor values) implements Value {}

  /** A value that may be absent. */
  record Maybe(Optional<Value> value) implements Value {}

  /**
   * A value by its name in the graph.
   *
   * @param name the name
   * @param value the value
   */
  record Named(String name, Value value) {}
}
