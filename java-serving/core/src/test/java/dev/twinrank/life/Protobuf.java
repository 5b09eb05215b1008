package dev.twinrank.life;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes as much protobuf as it takes to add nodes to a graph. */
final class Protobuf {
  private static final int LENGTH_DELIMITED = 2;
  private static final int MODEL_GRAPH = 7;
  private static final int GRAPH_NODE = 1;
  private static final int NODE_INPUT = 1;
  private static final int NODE_OUTPUT = 2;
  private static final int NODE_OP_TYPE = 4;
  private static final int NODE_ATTRIBUTE = 5;
  private static final int ATTRIBUTE_NAME = 1;
  private static final int ATTRIBUTE_INTS = 8;
  private static final int ATTRIBUTE_TYPE = 20;
  private static final int TYPE_INTS = 7;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  private Protobuf varint(long value) {
    long rest = value;
    while (rest > 0x7f) {
      bytes.write((int) ((rest & 0x7f) | 0x80));
      rest >>>= 7;
    }
    bytes.write((int) rest);
    return this;
  }

  private Protobuf field(int number, byte[] value) {
    varint(((long) number << 3) | LENGTH_DELIMITED).varint(value.length).bytes.writeBytes(value);
    return this;
  }

  private Protobuf field(int number, String value) {
    return field(number, value.getBytes(StandardCharsets.UTF_8));
  }

  /** Returns a node of the default domain; {@code inputs} are parted by spaces. */
  static byte[] node(String operator, String inputs, String output) {
    return node(inputs, output).field(NODE_OP_TYPE, operator).bytes.toByteArray();
  }

  /** Returns a Constant of integers. */
  static byte[] constant(String output, long... values) {
    Protobuf ints = new Protobuf().field(ATTRIBUTE_NAME, "value_ints");
    for (long value : values) {
      ints.varint(ATTRIBUTE_INTS << 3).varint(value);
    }
    ints.varint(ATTRIBUTE_TYPE << 3).varint(TYPE_INTS);
    return node("", output)
        .field(NODE_OP_TYPE, "Constant")
        .field(NODE_ATTRIBUTE, ints.bytes.toByteArray())
        .bytes
        .toByteArray();
  }

  private static Protobuf node(String inputs, String output) {
    Protobuf node = new Protobuf();
    for (String input : inputs.isEmpty() ? new String[0] : inputs.split(" ", -1)) {
      node.field(NODE_INPUT, input);
    }
    return node.field(NODE_OUTPUT, output);
  }

  /** Returns a model with more nodes at the end of its graph. */
  static byte[] append(byte[] model, byte[]... nodes) {
    Protobuf more = new Protobuf();
    for (byte[] node : nodes) {
      more.field(GRAPH_NODE, node);
    }
    Protobuf result = new Protobuf();
    boolean found = false;
    int at = 0;
    while (at < model.length) {
      int start = at;
      long[] tag = readVarint(model, at);
      long[] value = readVarint(model, (int) tag[1]);
      boolean delimited = (tag[0] & 7) == LENGTH_DELIMITED;
      if (!delimited && (tag[0] & 7) != 0) {
        throw new AssertionError("ModelProto has only numbers, texts and messages");
      }
      at = (int) (value[1] + (delimited ? value[0] : 0));
      if (tag[0] >>> 3 == MODEL_GRAPH) {
        found = true;
        byte[] graph = Arrays.copyOfRange(model, (int) value[1], at);
        Protobuf longer = new Protobuf();
        longer.bytes.writeBytes(graph);
        longer.bytes.writeBytes(more.bytes.toByteArray());
        result.field(MODEL_GRAPH, longer.bytes.toByteArray());
      } else {
        result.bytes.write(model, start, at - start);
      }
    }
    if (!found) {
      throw new AssertionError("the model has no graph");
    }
    return result.bytes.toByteArray();
  }

  private static long[] readVarint(byte[] bytes, int from) {
    long value = 0;
    int at = from;
    for (int shift = 0; ; shift += 7) {
      byte next = bytes[at++];
      value |= (next & 0x7fL) << shift;
      if (next >= 0) {
        return new long[] {value, at};
      }
    }
  }

  /** Returns a model whose score is the sum of the old score and itself, as often as asked. */
  static byte[] doubleScore(byte[] model, int times) {
    // The only node with this output: field 2, five characters.
    byte[] output = {(NODE_OUTPUT << 3) | LENGTH_DELIMITED, 5, 's', 'c', 'o', 'r', 'e'};
    byte[] renamed = model.clone();
    int found = 0;
    for (int at = 0; at + output.length <= model.length; at++) {
      if (Arrays.equals(model, at, at + output.length, output, 0, output.length)) {
        renamed[at + output.length - 1] = '0';
        found++;
      }
    }
    if (found != 1) {
      throw new AssertionError(found + " nodes make the score instead of one");
    }
    byte[][] nodes = new byte[times][];
    for (int i = 0; i < times; i++) {
      String before = "scor" + i;
      nodes[i] = node("Add", before + " " + before, i == times - 1 ? "score" : "scor" + (i + 1));
    }
    return append(renamed, nodes);
  }
}
