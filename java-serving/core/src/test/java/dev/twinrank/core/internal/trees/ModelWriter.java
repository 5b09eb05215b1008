package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.proto.OnnxTypes;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Writes ONNX models by hand, because the core only reads such files. */
final class ModelWriter {
  private static final int VARINT = 0;
  private static final int BYTES = 2;
  private static final int INT = 2;
  private static final int TENSOR = 4;
  private static final int INTS = 7;

  private final Message graph = new Message();
  private int names;

  /** A message of protobuf. */
  static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Message number(int field, long value) {
      varint(((long) field << 3) | VARINT);
      varint(value);
      return this;
    }

    Message text(int field, String value) {
      return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message bytes(int field, byte[] value) {
      varint(((long) field << 3) | BYTES);
      varint(value.length);
      out.writeBytes(value);
      return this;
    }

    Message message(int field, Message value) {
      return bytes(field, value.out.toByteArray());
    }

    byte[] toByteArray() {
      return out.toByteArray();
    }

    private void varint(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        out.write((int) ((rest & 0x7f) | 0x80));
        rest >>>= 7;
      }
      out.write((int) rest);
    }
  }

  /** Returns a tensor of doubles, floats, integers, truths or, where the type is null, bytes. */
  static Message tensor(String name, Type type, double[] values, long... dims) {
    int width = type == null ? 1 : type.width();
    ByteBuffer raw = ByteBuffer.allocate(values.length * width).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : values) {
      if (type == Type.F64) {
        raw.putDouble(value);
      } else if (type == Type.F32) {
        raw.putFloat((float) value);
      } else if (type == Type.I64) {
        raw.putLong((long) value);
      } else if (type == Type.I32) {
        raw.putInt((int) value);
      } else {
        raw.put((byte) value);
      }
    }
    Message tensor = new Message();
    for (long dim : dims) {
      tensor.number(1, dim);
    }
    return tensor.number(2, number(type)).text(8, name).bytes(9, raw.array());
  }

  private static long number(Type type) {
    if (type == null) {
      return 2;
    }
    return switch (type) {
      case F32 -> 1;
      case F64 -> 11;
      case I32 -> 6;
      case I64 -> 7;
      case BOOL -> 9;
    };
  }

  static long typeNumber(Type type) {
    return number(type);
  }

  /** Adds an initialiser and returns its name. */
  String constant(Type type, double[] values, long... dims) {
    String name = "c" + names++;
    graph.message(5, tensor(name, type, values, dims));
    return name;
  }

  /** Adds a scalar. */
  String scalar(Type type, double value) {
    return constant(type, new double[] {value});
  }

  /** Adds a vector of integers. */
  String integers(long... values) {
    return constant(Type.I64, Arrays.stream(values).asDoubleStream().toArray(), values.length);
  }

  /** Adds a node of ONNX's own and returns its output. */
  String node(String operator, Map<String, Object> attributes, String... inputs) {
    return named("", operator, attributes, operator + names++, inputs);
  }

  String node(String operator, String... inputs) {
    return node(operator, Map.of(), inputs);
  }

  /** Adds a node and returns its output. */
  String named(
      String domain,
      String operator,
      Map<String, Object> attributes,
      String output,
      String... inputs) {
    Message node = new Message();
    for (String input : inputs) {
      node.text(1, input);
    }
    node.text(2, output).text(3, "node " + output).text(4, operator);
    new TreeMap<>(attributes).forEach((name, value) -> node.message(5, attribute(name, value)));
    graph.message(1, node.text(7, domain));
    return output;
  }

  private static Message attribute(String name, Object value) {
    Message attribute = new Message().text(1, name);
    if (value instanceof long[] integers) {
      for (long each : integers) {
        attribute.number(8, each);
      }
      return attribute.number(20, INTS);
    }
    if (value instanceof Message tensor) {
      return attribute.message(5, tensor).number(20, TENSOR);
    }
    return attribute.number(3, ((Number) value).longValue()).number(20, INT);
  }

  /** Returns the model. */
  byte[] model(List<TensorSpec> inputs, List<TensorSpec> outputs) {
    graph.text(2, "graph");
    inputs.forEach(each -> graph.message(11, value(each)));
    outputs.forEach(each -> graph.message(12, value(each)));
    List<Message> imports = new ArrayList<>();
    imports.add(new Message().text(1, "").number(2, 20));
    imports.add(new Message().text(1, "ai.onnx.ml").number(2, 5));
    Message model = new Message().number(1, 10).message(7, graph);
    imports.forEach(each -> model.message(8, each));
    return model.toByteArray();
  }

  private static Message value(TensorSpec spec) {
    Message shape = new Message();
    for (long dim : spec.dims()) {
      shape.message(1, dim < 0 ? new Message().text(2, "n") : new Message().number(1, dim));
    }
    Message tensor = new Message().number(1, OnnxTypes.number(spec.dtype())).message(2, shape);
    return new Message().text(1, spec.name()).message(2, new Message().message(1, tensor));
  }
}
