package dev.twinrank.core.internal.jni;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.RunOptions;
import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Direct buffers with tensors over them, which are made anew when the number of candidates is. */
class JniWorkspace implements Workspace {
  private static final long LARGEST = Integer.MAX_VALUE - 8L;

  private final OrtEnvironment environment;
  private final OrtSession session;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final ByteBuffer[] memory;
  private final ByteBuffer[] views;
  private final Map<String, OnnxTensor> inputTensors = new LinkedHashMap<>();
  private final Map<String, OnnxTensor> outputTensors = new LinkedHashMap<>();
  private int candidates;
  private boolean closed;

  JniWorkspace(
      OrtEnvironment environment,
      OrtSession session,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs) {
    this.environment = environment;
    this.session = session;
    this.inputs = inputs;
    this.outputs = outputs;
    this.memory = new ByteBuffer[inputs.size() + outputs.size()];
    this.views = new ByteBuffer[memory.length];
  }

  @Override
  public void resize(int count) throws GraphFailure {
    if (closed) {
      throw new IllegalStateException("this workspace is closed");
    }
    if (count == candidates) {
      return;
    }
    closeTensors();
    boolean bound = false;
    try {
      for (int i = 0; i < memory.length; i++) {
        bind(i, count);
      }
      candidates = count;
      bound = true;
    } catch (OrtException e) {
      throw new GraphFailure(e);
    } finally {
      if (!bound) {
        closeTensors();
      }
    }
  }

  private void bind(int i, int count) throws GraphFailure, OrtException {
    boolean input = i < inputs.size();
    TensorSpec spec = input ? inputs.get(i) : outputs.get(i - inputs.size());
    long bytes = spec.bytes(count);
    if (bytes > LARGEST) {
      throw new GraphFailure(
          "'" + spec.name() + "' would take " + bytes + " bytes; send less at once");
    }
    if (memory[i] == null || memory[i].capacity() < bytes) {
      memory[i] = ByteBuffer.allocateDirect((int) spec.capacity(count));
    }
    views[i] = memory[i].slice(0, (int) bytes).order(ByteOrder.nativeOrder());
    (input ? inputTensors : outputTensors)
        .put(spec.name(), tensor(views[i], spec.shape(count), spec.dtype()));
  }

  @Override
  public int candidates() {
    return candidates;
  }

  @Override
  public ByteBuffer input(int index) {
    return views[index];
  }

  @Override
  public ByteBuffer output(int index) {
    return views[inputs.size() + index];
  }

  @Override
  public void run(Stop stop) throws GraphFailure {
    try {
      if (stop == null) {
        session.run(inputTensors, outputTensors).close();
      } else {
        stoppable(stop);
      }
    } catch (OrtException e) {
      throw new GraphFailure(e);
    }
  }

  // Options that were told to terminate refuse every later run, so each run that can be stopped has
  // options of its own. The outputs are pinned, and none is requested beside them: the binding
  // counts what is in both twice.
  private void stoppable(Stop stop) throws OrtException, GraphFailure {
    try (RunOptions options = new RunOptions()) {
      if (!stop.attach(() -> terminate(options))) {
        throw new GraphFailure("the run was stopped before it began");
      }
      try {
        // Outputs are asked for by pinning them; whoever names them too asks for each twice.
        session.run(inputTensors, Set.of(), outputTensors, options).close();
      } finally {
        stop.detach();
      }
    }
  }

  private static void terminate(RunOptions options) {
    try {
      options.setTerminate(true);
    } catch (OrtException e) {
      throw new IllegalStateException("ONNX Runtime could not end a run", e);
    }
  }

  @Override
  public long bytes() {
    long bytes = 0;
    for (ByteBuffer each : memory) {
      bytes += each == null ? 0 : each.capacity();
    }
    return bytes;
  }

  @Override
  public void close() {
    closed = true;
    closeTensors();
  }

  private void closeTensors() {
    candidates = 0;
    inputTensors.values().forEach(OnnxTensor::close);
    inputTensors.clear();
    outputTensors.values().forEach(OnnxTensor::close);
    outputTensors.clear();
  }

  /** Makes one tensor over direct memory; tests make it fail. */
  OnnxTensor tensor(ByteBuffer values, long[] shape, DType dtype) throws OrtException {
    OnnxJavaType type =
        switch (dtype) {
          case FLOAT32 -> OnnxJavaType.FLOAT;
          case FLOAT64 -> OnnxJavaType.DOUBLE;
          default -> OnnxJavaType.INT64;
        };
    return OnnxTensor.createTensor(environment, values, shape, type);
  }
}
