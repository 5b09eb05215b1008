package dev.twinrank.benchmarks.ours;

import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import dev.twinrank.core.DType;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.Engines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Our engine alone, its inputs written before: the tensor path without packing and order. */
public final class EngineRun implements Contestant {
  private static final long CANDIDATES = -1;

  private final BuiltRequest built;
  private final NativeGraph graph;

  /** Opens the bundle's graph. */
  public EngineRun(Path folder, Request.Names names) throws IOException, GraphFailure {
    built = new BuiltRequest(folder, names);
    Path bundle = folder.resolve("1");
    Request[] one = Request.read(folder, names, 1);
    List<TensorSpec> inputs = new ArrayList<>();
    for (PackedBlock block : built.build(one[0]).blocks()) {
      long rows = block.name().startsWith("context") ? 1 : CANDIDATES;
      inputs.add(new TensorSpec(block.name(), block.dtype(), List.of(rows, block.shape()[1])));
    }
    graph =
        Engines.get()
            .load(
                Files.readAllBytes(bundle.resolve("model.onnx")),
                bundle,
                SessionSettings.standard(),
                inputs,
                List.of(new TensorSpec("score", DType.FLOAT32, List.of(CANDIDATES))));
  }

  @Override
  public Caller caller(Request[] requests) throws GraphFailure {
    Workspace[] ready = new Workspace[requests.length];
    for (int i = 0; i < ready.length; i++) {
      ready[i] = graph.workspace();
      ready[i].resize(requests[i].n());
      List<PackedBlock> blocks = built.build(requests[i]).blocks();
      for (int j = 0; j < blocks.size(); j++) {
        ready[i].input(j).put(0, blocks.get(j).data(), 0, blocks.get(j).data().limit());
      }
    }
    return new Caller() {
      private int last;

      @Override
      public void call(int request) throws GraphFailure {
        last = request;
        ready[request].run(null);
      }

      @Override
      public float[] scores() {
        float[] scores = new float[requests[last].n()];
        ready[last].output(0).asFloatBuffer().get(scores);
        return scores;
      }

      @Override
      public int[] best() {
        return new int[0];
      }

      @Override
      public void close() {
        Arrays.stream(ready).forEach(Workspace::close);
      }
    };
  }

  @Override
  public void close() {
    graph.close();
    built.close();
  }
}
