package dev.twinrank.core;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * An ONNX model without weights that is slow for many candidates and quick for few: x is multiplied
 * with itself to [n, n], and that with itself again and again. Written by hand, because the core
 * only reads such files.
 */
final class SlowGraph {
  private static final int VARINT = 0;
  private static final int BYTES = 2;
  private static final int FLOAT = 1;
  private static final int INTS = 7;
  private static final int INT = 2;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /**
   * Returns the model: {@code candidate.f32 [n, 1]} to {@code score [n]}, in that many products.
   */
  static byte[] model(int products) {
    SlowGraph graph = new SlowGraph();
    graph.bytes(1, node("Transpose", "turned", "candidate.f32"));
    graph.bytes(1, node("MatMul", "m0", "candidate.f32", "turned"));
    for (int i = 1; i <= products; i++) {
      graph.bytes(1, node("MatMul", "m" + i, "m" + (i - 1), "m0"));
    }
    SlowGraph last = node("ReduceMax", "score", "m" + products);
    last.bytes(5, new SlowGraph().text(1, "axes").number(8, 1).number(20, INTS));
    last.bytes(5, new SlowGraph().text(1, "keepdims").number(3, 0).number(20, INT));
    graph.bytes(1, last);
    graph.text(2, "slow");
    graph.bytes(11, value("candidate.f32", true));
    graph.bytes(12, value("score", false));
    SlowGraph opset = new SlowGraph().text(1, "").number(2, 11);
    return new SlowGraph().number(1, 6).bytes(7, graph).bytes(8, opset).out.toByteArray();
  }

  private static SlowGraph node(String operator, String output, String... inputs) {
    SlowGraph node = new SlowGraph();
    for (String input : inputs) {
      node.text(1, input);
    }
    return node.text(2, output).text(4, operator);
  }

  private static SlowGraph value(String name, boolean column) {
    SlowGraph shape = new SlowGraph().bytes(1, new SlowGraph().text(2, "n"));
    if (column) {
      shape.bytes(1, new SlowGraph().number(1, 1));
    }
    SlowGraph tensor = new SlowGraph().number(1, FLOAT).bytes(2, shape);
    return new SlowGraph().text(1, name).bytes(2, new SlowGraph().bytes(1, tensor));
  }

  private SlowGraph number(int field, long value) {
    varint((field << 3) | VARINT);
    varint(value);
    return this;
  }

  private SlowGraph text(int field, String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    varint((field << 3) | BYTES);
    varint(utf8.length);
    out.writeBytes(utf8);
    return this;
  }

  private SlowGraph bytes(int field, SlowGraph message) {
    varint((field << 3) | BYTES);
    varint(message.out.size());
    out.writeBytes(message.out.toByteArray());
    return this;
  }

  private void varint(long value) {
    long rest = value;
    while (rest >= 0x80) {
      out.write((int) ((rest & 0x7f) | 0x80));
      rest >>>= 7;
    }
    out.write((int) rest);
  }
}
