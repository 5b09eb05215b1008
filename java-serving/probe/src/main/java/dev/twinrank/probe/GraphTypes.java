package dev.twinrank.probe;

import dev.twinrank.core.internal.proto.InvalidProto;
import dev.twinrank.core.internal.proto.ProtoReader;
import dev.twinrank.probe.GraphException.Code;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a model's file says of the values that flow in and out, in its order: {@code
 * tensor(float32)}, {@code sequence(…)}, {@code optional(…)}, {@code map(int64,…)}, {@code
 * sparse_tensor(…)}, or {@code unknown} where it says nothing. Immutable.
 *
 * @param inputs types by name
 * @param outputs types by name
 */
record GraphTypes(Map<String, String> inputs, Map<String, String> outputs) {
  static final String UNKNOWN = "unknown";
  private static final int MAX_DEPTH = 16;

  GraphTypes {
    inputs = Collections.unmodifiableMap(new LinkedHashMap<>(inputs));
    outputs = Collections.unmodifiableMap(new LinkedHashMap<>(outputs));
  }

  /**
   * Reads them.
   *
   * @throws GraphException {@code graph_refused} if the bytes are no such message
   */
  static GraphTypes of(byte[] model) {
    Map<String, String> inputs = new LinkedHashMap<>();
    Map<String, String> outputs = new LinkedHashMap<>();
    try {
      ProtoReader in = new ProtoReader("the model", ByteBuffer.wrap(model));
      while (in.next()) {
        if (in.field() == 7) {
          ProtoReader graph = new ProtoReader("the graph", in.bytes());
          while (graph.next()) {
            if (graph.field() == 11) {
              add(graph.bytes(), inputs);
            } else if (graph.field() == 12) {
              add(graph.bytes(), outputs);
            }
          }
        }
      }
    } catch (InvalidProto e) {
      throw new GraphException(
          Code.GRAPH_REFUSED, "the file is no ONNX model: " + e.getMessage(), e);
    }
    return new GraphTypes(inputs, outputs);
  }

  private static void add(ByteBuffer info, Map<String, String> values) {
    ProtoReader in = new ProtoReader("a value of the graph", info);
    String name = "";
    String type = UNKNOWN;
    while (in.next()) {
      if (in.field() == 1) {
        name = in.string();
      } else if (in.field() == 2) {
        type = type(in.bytes(), 0);
      }
    }
    values.put(name, type);
  }

  private static String type(ByteBuffer proto, int depth) {
    ProtoReader in = new ProtoReader("a type of the graph", proto);
    if (depth > MAX_DEPTH) {
      throw in.invalid("is nested deeper than " + MAX_DEPTH);
    }
    String type = UNKNOWN;
    while (in.next()) {
      type =
          switch (in.field()) {
            case 1 -> "tensor(" + element(in.bytes()) + ")";
            case 8 -> "sparse_tensor(" + element(in.bytes()) + ")";
            case 4 -> "sequence(" + inner(in.bytes(), 1, depth) + ")";
            case 9 -> "optional(" + inner(in.bytes(), 1, depth) + ")";
            case 5 -> {
              ByteBuffer map = in.bytes();
              yield "map(" + element(map) + "," + inner(map, 2, depth) + ")";
            }
            default -> type;
          };
    }
    return type;
  }

  private static String element(ByteBuffer tensorType) {
    ProtoReader in = new ProtoReader("a type of the graph", tensorType);
    long number = 0;
    while (in.next()) {
      if (in.field() == 1) {
        number = in.varint();
      }
    }
    return number == 0 ? UNKNOWN : ElementType.of(number).label();
  }

  private static String inner(ByteBuffer outer, int field, int depth) {
    ProtoReader in = new ProtoReader("a type of the graph", outer);
    String inner = UNKNOWN;
    while (in.next()) {
      if (in.field() == field) {
        inner = type(in.bytes(), depth + 1);
      }
    }
    return inner;
  }

  /** Returns these with only those inputs that the runtime asks for, and with further outputs. */
  GraphTypes with(Collection<String> asked, List<String> taps) {
    Map<String, String> in = new LinkedHashMap<>(inputs);
    in.keySet().retainAll(asked);
    Map<String, String> out = new LinkedHashMap<>(outputs);
    taps.forEach(tap -> out.put(tap, UNKNOWN));
    return new GraphTypes(in, out);
  }
}
