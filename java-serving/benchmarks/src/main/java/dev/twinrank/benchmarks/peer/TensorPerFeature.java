package dev.twinrank.benchmarks.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The official binding as its documentation shows it: an array and a tensor a feature, getValue.
 */
public final class TensorPerFeature implements Contestant {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final List<Inputs.Column> columns = new ArrayList<>();

  /** Opens the bundle's graph with an input a feature. */
  public TensorPerFeature(Path folder, Request.Names names) throws IOException, OrtException {
    for (Inputs.Block block : Inputs.read(folder, names).blocks()) {
      columns.addAll(block.columns());
    }
    session =
        environment.createSession(folder.resolve("columns.onnx").toString(), Sessions.options());
  }

  @Override
  public Caller caller(Request[] requests) {
    return new Caller() {
      private float[] scores = new float[0];
      private List<Integer> best = List.of();

      @Override
      public void call(int request) throws OrtException {
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try {
          for (Inputs.Column column : columns) {
            Object values = array(column, requests[request]);
            inputs.put(column.name(), OnnxTensor.createTensor(environment, values));
          }
          try (OrtSession.Result result = session.run(inputs)) {
            scores = (float[]) result.get(0).getValue();
          }
        } finally {
          inputs.values().forEach(OnnxTensor::close);
        }
        best =
            IntStream.range(0, scores.length)
                .boxed()
                .sorted(Comparator.comparing((Integer i) -> scores[i]).reversed())
                .limit(K)
                .toList();
      }

      @Override
      public float[] scores() {
        return scores.clone();
      }

      @Override
      public int[] best() {
        return best.stream().mapToInt(i -> i).toArray();
      }
    };
  }

  private static Object array(Inputs.Column column, Request request) {
    return switch (column.kind()) {
      case CONTEXT_STRING -> new long[][] {{Xxh3.key(request.contextStrings()[column.index()])}};
      case CONTEXT_LENGTH -> new long[][] {{request.contextLists().get(column.index()).size()}};
      case CONTEXT_NUMBER -> new float[][] {{request.contextNumbers()[column.index()]}};
      case CONTEXT_LIST -> {
        List<String> list = request.contextLists().get(column.index());
        long[][] keys = new long[1][column.width()];
        for (int i = 0; i < list.size(); i++) {
          keys[0][i] = Xxh3.key(list.get(i));
        }
        yield keys;
      }
      case STRING -> {
        long[][] keys = new long[request.n()][1];
        for (int i = 0; i < keys.length; i++) {
          keys[i][0] = Xxh3.key(request.strings()[column.index()][i]);
        }
        yield keys;
      }
      case NUMBER -> {
        float[][] numbers = new float[request.n()][1];
        for (int i = 0; i < numbers.length; i++) {
          numbers[i][0] = request.numbers()[column.index()][i];
        }
        yield numbers;
      }
    };
  }

  @Override
  public void close() {
    Sessions.close(session);
  }
}
