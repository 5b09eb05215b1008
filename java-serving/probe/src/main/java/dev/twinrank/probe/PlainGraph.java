package dev.twinrank.probe;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxMap;
import ai.onnxruntime.OnnxSequence;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.TensorInfo;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.jni.Sessions;
import dev.twinrank.probe.GraphException.Code;
import dev.twinrank.probe.Value.Named;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Any ONNX file in the runtime of this process, with values of the graph as further outputs. Not
 * thread-safe.
 *
 * <p>It runs through the official binding: what that cannot carry is {@code unsupported_type} and
 * never changed on the way.
 */
final class PlainGraph implements AutoCloseable {
  // ModelProto.graph and GraphProto.output, with the wire type of messages.
  private static final int GRAPH_TAG = 7 << 3 | 2;
  private static final int OUTPUT_TAG = 12 << 3 | 2;
  private static final int NAME_TAG = 1 << 3 | 2;

  private final SessionOptions options;
  private final OrtSession session;
  private final GraphTypes types;
  private final Map<String, String> declaredInputs;

  // Made when the first string comes out.
  private StringCheck strings;

  private PlainGraph(
      SessionOptions options, OrtSession session, GraphTypes declared, List<String> taps) {
    this.options = options;
    this.session = session;
    this.types = declared.with(session.getInputNames(), taps);
    this.declaredInputs = declared.inputs();
  }

  /**
   * Opens a file.
   *
   * @param file the model
   * @param folder where its external data lie, if it has any
   * @param taps values of the graph that become outputs, those that are outputs already aside
   * @throws GraphException if it cannot be read or the runtime refuses it
   */
  static PlainGraph open(Path file, Path folder, List<String> taps, SessionSettings settings) {
    byte[] model = read(file);
    GraphTypes declared = GraphTypes.of(model);
    List<String> more =
        taps.stream().distinct().filter(tap -> !declared.outputs().containsKey(tap)).toList();
    try {
      OrtEnvironment environment = Sessions.environment();
      SessionOptions options = Sessions.options(settings, folder);
      try {
        OrtSession session = environment.createSession(tapped(model, more), options);
        return new PlainGraph(options, session, declared, more);
      } catch (OrtException | RuntimeException | Error e) {
        options.close();
        throw e;
      }
    } catch (OrtException e) {
      throw new GraphException(
          Code.GRAPH_REFUSED, "the runtime refuses the graph: " + e.getMessage(), e);
    }
  }

  static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException | OutOfMemoryError e) {
      throw new GraphException(Code.FILE_UNREADABLE, "%s cannot be read: %s".formatted(file, e), e);
    }
  }

  /**
   * Appends a model that holds nothing but outputs. Protobuf merges messages that stand one after
   * another, so the parser sees one graph with those outputs beside its own.
   */
  static byte[] tapped(byte[] model, List<String> taps) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(model);
    for (String tap : taps) {
      byte[] info = field(NAME_TAG, tap.getBytes(StandardCharsets.UTF_8));
      out.writeBytes(field(GRAPH_TAG, field(OUTPUT_TAG, info)));
    }
    return out.toByteArray();
  }

  private static byte[] field(int tag, byte[] value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(tag);
    int length = value.length;
    for (; length > 0x7f; length >>>= 7) {
      out.write((length & 0x7f) | 0x80);
    }
    out.write(length);
    out.writeBytes(value);
    return out.toByteArray();
  }

  /** Returns the types of all inputs in the file's order, initialisers among them. */
  Map<String, String> declaredInputs() {
    return declaredInputs;
  }

  /** Returns the types of the inputs that a run needs, and of all outputs. */
  GraphTypes types() {
    return types;
  }

  /**
   * Runs the graph.
   *
   * @return the outputs in the graph's order, then the taps
   * @throws GraphException if the binding cannot carry a value, or the runtime fails
   */
  List<Named> run(List<Named> inputs) {
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    try {
      for (Named input : inputs) {
        tensors.put(input.name(), tensor(input.name(), input.value()));
      }
      try (OrtSession.Result result = session.run(tensors)) {
        List<Named> outputs = new ArrayList<>();
        for (Map.Entry<String, OnnxValue> each : result) {
          outputs.add(new Named(each.getKey(), value(each.getKey(), each.getValue())));
        }
        return outputs;
      }
    } catch (OrtException e) {
      throw new GraphException(Code.RUN_FAILED, "the run failed: " + e.getMessage(), e);
    } finally {
      tensors.values().forEach(OnnxTensor::close);
    }
  }

  private static OnnxTensor tensor(String name, Value value) throws OrtException {
    if (!(value instanceof Value.Tensor tensor)) {
      throw new GraphException(
          Code.UNSUPPORTED_TYPE,
          "'%s' is no tensor, and the Java binding of ONNX Runtime takes nothing else"
              .formatted(name));
    }
    OnnxJavaType type = tensor.type().binding(name);
    long[] shape = tensor.shape().stream().mapToLong(Long::longValue).toArray();
    if (type == OnnxJavaType.STRING) {
      return OnnxTensor.createTensor(Sessions.environment(), Tensors.strings(name, tensor), shape);
    }
    ByteBuffer memory =
        ByteBuffer.allocateDirect(tensor.data().remaining()).order(ByteOrder.nativeOrder());
    memory.put(tensor.data().duplicate()).flip();
    return OnnxTensor.createTensor(Sessions.environment(), memory, shape, type);
  }

  private Value value(String name, OnnxValue value) throws OrtException {
    if (value instanceof OnnxTensor tensor) {
      return tensor(name, tensor);
    }
    if (value instanceof OnnxMap map) {
      return mapping(name, map);
    }
    if (value instanceof OnnxSequence sequence) {
      List<? extends OnnxValue> elements = sequence.getValue();
      try {
        List<Value> values = new ArrayList<>();
        for (OnnxValue each : elements) {
          values.add(value(name, each));
        }
        return new Value.Sequence(values);
      } finally {
        OnnxValue.close(elements); // closing the sequence leaves them open
      }
    }
    throw new GraphException(
        Code.UNSUPPORTED_TYPE,
        "the output '%s' is of the kind %s, which the Java binding of ONNX Runtime does not give"
            .formatted(name, value.getType()));
  }

  private Value.Tensor tensor(String name, OnnxTensor tensor) throws OrtException {
    TensorInfo info = tensor.getInfo();
    List<Long> shape = Arrays.stream(info.getShape()).boxed().toList();
    if (info.type == OnnxJavaType.STRING) {
      List<String> taken = new ArrayList<>();
      if (Tensors.elements(name, shape) > 0) {
        flatten(tensor.getValue(), taken);
        check(name, tensor, taken);
      }
      return new Value.Tensor(ElementType.STRING, shape, Tensors.data(taken));
    }
    ElementType type = ElementType.of(name, info.onnxType);
    ByteBuffer data = tensor.getByteBuffer();
    return new Value.Tensor(type, shape, data.order(ByteOrder.LITTLE_ENDIAN));
  }

  private void check(String name, OnnxTensor tensor, List<String> taken) throws OrtException {
    if (strings == null) {
      strings = new StringCheck();
    }
    strings.check(name, tensor, taken);
  }

  private static void flatten(Object value, List<String> strings) {
    if (value instanceof String string) {
      strings.add(string);
    } else {
      for (int i = 0; i < Array.getLength(value); i++) {
        flatten(Array.get(value, i), strings);
      }
    }
  }

  private static Value mapping(String name, OnnxMap map) throws OrtException {
    Map<Object, Object> sorted = new TreeMap<>(map.getValue());
    return new Value.Mapping(row(name, sorted.keySet()), row(name, sorted.values()));
  }

  private static Value.Tensor row(String name, Iterable<Object> values) {
    List<Object> row = new ArrayList<>();
    values.forEach(row::add);
    List<Long> shape = List.of((long) row.size());
    Object first = row.isEmpty() ? 0L : row.get(0);
    if (first instanceof String) {
      return new Value.Tensor(
          ElementType.STRING, shape, Tensors.data(row.stream().map(String.class::cast).toList()));
    }
    ByteBuffer data = ByteBuffer.allocate(row.size() * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    ElementType type;
    if (first instanceof Long) {
      type = ElementType.INT64;
      row.forEach(each -> data.putLong((Long) each));
    } else if (first instanceof Float) {
      type = ElementType.FLOAT32;
      row.forEach(each -> data.putFloat((Float) each));
    } else if (first instanceof Double) {
      type = ElementType.FLOAT64;
      row.forEach(each -> data.putDouble((Double) each));
    } else {
      throw new GraphException(
          Code.UNSUPPORTED_TYPE,
          "the map '%s' holds %s".formatted(name, first.getClass().getSimpleName()));
    }
    return new Value.Tensor(type, shape, data.flip());
  }

  @Override
  public void close() {
    try (options;
        session) {
      if (strings != null) {
        strings.close();
        strings = null;
      }
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime could not close a session", e);
    }
  }
}
