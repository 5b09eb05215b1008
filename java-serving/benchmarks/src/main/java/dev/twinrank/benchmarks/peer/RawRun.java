package dev.twinrank.benchmarks.peer;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The bare runtime: tensors that are ready, reused, outputs pinned. It packs nothing and orders
 * nothing, so nobody who uses the official binding can be faster.
 */
public final class RawRun implements Contestant {
  private static final String OUTPUT = "score";

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final Inputs inputs;

  /** Opens the bundle's graph. */
  public RawRun(Path folder, Request.Names names) throws IOException, OrtException {
    inputs = Inputs.read(folder, names);
    session =
        environment.createSession(folder.resolve("1/model.onnx").toString(), Sessions.options());
  }

  @Override
  public Caller caller(Request[] requests) throws OrtException {
    int n = requests[0].n();
    ByteBuffer scores = direct(Float.BYTES * n);
    Map<String, OnnxTensor> outputs =
        Map.of(
            OUTPUT,
            OnnxTensor.createTensor(environment, scores, new long[] {n}, OnnxJavaType.FLOAT));
    @SuppressWarnings({"unchecked", "rawtypes"})
    Map<String, OnnxTensor>[] ready = new Map[requests.length];
    for (int i = 0; i < ready.length; i++) {
      ready[i] = tensors(requests[i]);
    }
    return new Caller() {
      @Override
      public void call(int request) throws OrtException {
        session.run(ready[request], outputs).close();
      }

      @Override
      public float[] scores() {
        float[] copy = new float[n];
        scores.asFloatBuffer().get(copy);
        return copy;
      }

      @Override
      public int[] best() {
        return new int[0];
      }

      @Override
      public void close() {
        outputs.values().forEach(OnnxTensor::close);
        for (Map<String, OnnxTensor> each : ready) {
          each.values().forEach(OnnxTensor::close);
        }
      }
    };
  }

  private Map<String, OnnxTensor> tensors(Request request) throws OrtException {
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    for (Inputs.Block block : inputs.blocks()) {
      int rows = block.rows(request.n());
      int width = block.keys() ? Long.BYTES : Float.BYTES;
      ByteBuffer values = direct(width * rows * block.width());
      if (block.keys()) {
        block.pack(request, values.asLongBuffer());
      } else {
        block.pack(request, values.asFloatBuffer());
      }
      OnnxJavaType type = block.keys() ? OnnxJavaType.INT64 : OnnxJavaType.FLOAT;
      tensors.put(
          block.name(),
          OnnxTensor.createTensor(environment, values, new long[] {rows, block.width()}, type));
    }
    return tensors;
  }

  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    Sessions.close(session);
  }
}
