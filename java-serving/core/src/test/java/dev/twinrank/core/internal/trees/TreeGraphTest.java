package dev.twinrank.core.internal.trees;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.DType;
import dev.twinrank.core.Placement;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.pack.Block;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Random graphs of trees: ONNX Runtime says what is right. */
class TreeGraphTest {
  private static final int MODELS = Integer.getInteger("twinrank.treeModels", 150);
  private static final int[] SIZES = {1, 2, 3, 40, 700};
  private static final long SEED = 20_261_123;

  static final Block CONTEXT_F64 = block("context.f64", DType.FLOAT64, Placement.CONTEXT, 2);
  static final Block CONTEXT_I64 = block("context.i64", DType.INT64, Placement.CONTEXT, 3);
  static final Block F64 = block("candidate.f64", DType.FLOAT64, Placement.CANDIDATE, 4);
  static final Block F32 = block("candidate.f32", DType.FLOAT32, Placement.CANDIDATE, 3);
  static final Block I64 = block("candidate.i64", DType.INT64, Placement.CANDIDATE, 5);
  static final List<Block> BLOCKS = List.of(CONTEXT_F64, CONTEXT_I64, F64, F32, I64);

  static Block block(String name, DType dtype, Placement placement, int width) {
    return new Block(name, dtype, placement, 0, width, List.of());
  }

  static TensorSpec column(String name, DType dtype) {
    return new TensorSpec(name, dtype, List.of(-1L));
  }

  @Test
  void everyBitIsTheRuntimesForRandomGraphsAndRows() throws GraphFailure, UnknownGraph {
    long compared = 0;
    for (int i = 0; i < MODELS; i++) {
      Random random = new Random(SEED + i);
      RandomGraph graph = new RandomGraph(random);
      try (BothEngines both = new BothEngines(graph.model(), BLOCKS, graph.outputs())) {
        for (int size : SIZES) {
          compared += both.requireSame(random, size, () -> graph.value(random));
        }
      } catch (AssertionError | UnknownGraph e) {
        throw new AssertionError("the random graph " + i + ": " + e.getMessage(), e);
      }
    }
    assertTrue(compared > 1000L * MODELS, compared + " values were compared");
    System.out.println(compared + " values of trees have the runtime's bits");
  }
}
