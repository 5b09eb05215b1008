package dev.twinrank.benchmarks.peer;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.translate.TranslatorContext;
import ai.onnxruntime.OrtException;
import dev.twinrank.benchmarks.Caller;
import dev.twinrank.benchmarks.Contestant;
import dev.twinrank.benchmarks.Request;
import java.io.IOException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Supplier;

/**
 * DJL with its ONNX Runtime engine, told to be fast: no batchifier, a predictor and direct buffers
 * of each thread's own, arrays over them without a copy, primitive top-k, session options of the
 * bundle. The JVM turns its usage tracking and its second engine off.
 */
public final class Djl implements Contestant {
  private static final String SESSION = "sessionOptions";

  private final Model model;
  private final Supplier<Packer> packers;

  /** Writes a request into arrays. Not thread-safe. */
  interface Packer {
    NDList pack(Request request, Arrays arrays);
  }

  /** An answer. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Answer(float[] scores, int[] best) {}

  private Djl(Path graph, Supplier<Packer> packers)
      throws IOException, OrtException, MalformedModelException {
    this.packers = packers;
    // The engine comes first: it refuses to start where an environment of ONNX Runtime exists.
    Engine.getEngine("OnnxRuntime");
    model = Model.newInstance("peer", "OnnxRuntime");
    model.load(
        graph.getParent(), graph.getFileName().toString(), Map.of(SESSION, Sessions.options()));
  }

  /** Opens the bundle's graph, fed by its packed inputs. */
  public static Djl packed(Path folder, Request.Names names) throws Exception {
    Inputs inputs = Inputs.read(folder, names);
    return new Djl(folder.resolve("1/model.onnx"), () -> new PackedBlocks(inputs));
  }

  /** Opens the graph of flat rows that torch exports. */
  public static Djl flat(Path folder, Request.Names names) throws Exception {
    Vocabularies vocabularies = Vocabularies.read(folder);
    return new Djl(folder.resolve("flat.onnx"), () -> new FlatRows(names, vocabularies));
  }

  @Override
  public Caller caller(Request[] requests) {
    Predictor<Request, Answer> predictor = model.newPredictor(new Slates(packers.get()));
    return new Caller() {
      private Answer answer = new Answer(new float[0], new int[0]);

      @Override
      public void call(int request) throws TranslateException {
        answer = predictor.predict(requests[request]);
      }

      @Override
      public float[] scores() {
        return answer.scores.clone();
      }

      @Override
      public int[] best() {
        return answer.best.clone();
      }

      @Override
      public void close() {
        predictor.close();
      }
    };
  }

  @Override
  public void close() {
    model.close();
  }

  /** The translator. */
  private static final class Slates implements NoBatchifyTranslator<Request, Answer> {
    private final Packer packer;
    private final Arrays arrays = new Arrays();
    private final Best best = new Best();

    Slates(Packer packer) {
      this.packer = packer;
    }

    @Override
    public NDList processInput(TranslatorContext context, Request request) {
      return packer.pack(request, arrays.of(context.getNDManager()));
    }

    @Override
    public Answer processOutput(TranslatorContext context, NDList list) {
      float[] scores = list.get(0).toFloatArray();
      return new Answer(scores, best.of(scores, K));
    }
  }

  /** Makes arrays over direct memory that is kept from call to call. Not thread-safe. */
  static final class Arrays {
    private ByteBuffer[] memory = new ByteBuffer[0];
    private NDManager manager;
    private int next;

    Arrays of(NDManager of) {
      manager = of;
      next = 0;
      return this;
    }

    /** Returns memory for the next array of a request. */
    ByteBuffer memory(int bytes) {
      if (next == memory.length) {
        memory = java.util.Arrays.copyOf(memory, next + 1);
      }
      if (memory[next] == null || memory[next].capacity() < bytes) {
        memory[next] = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
      }
      return memory[next++].limit(bytes);
    }

    /** Returns an array over a view of that memory. */
    NDArray array(String name, Buffer values, Shape shape, DataType type) {
      NDArray array = manager.create(values, shape, type);
      array.setName(name);
      return array;
    }
  }
}
