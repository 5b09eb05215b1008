package dev.twinrank.core.internal.trees;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What is not taken, and the reason that is told. */
class UnknownGraphTest {
  private static final List<TensorSpec> OUTPUTS =
      List.of(TreeGraphTest.column("score", DType.FLOAT64));

  /** Two splits: x0 <= 1, whose false side asks whether x1 < 2. */
  private static Map<String, Object> attributes() {
    Map<String, Object> all = new HashMap<>();
    all.put("n_targets", 1);
    all.put("aggregate_function", 1);
    all.put("post_transform", 0);
    all.put("tree_roots", new long[] {0});
    all.put("nodes_featureids", new long[] {0, 1});
    all.put("nodes_modes", ModelWriter.tensor("", null, new double[] {0, 1}, 2));
    all.put("nodes_splits", doubles(1, 2));
    all.put("nodes_truenodeids", new long[] {0, 1});
    all.put("nodes_falsenodeids", new long[] {1, 2});
    all.put("nodes_trueleafs", new long[] {1, 1});
    all.put("nodes_falseleafs", new long[] {0, 1});
    all.put("leaf_targetids", new long[] {0, 0, 0});
    all.put("leaf_weights", doubles(1, 2, 3));
    return all;
  }

  private static ModelWriter.Message doubles(double... values) {
    return ModelWriter.tensor("", Type.F64, values, values.length);
  }

  private static TreeGraph read(ModelWriter writer, List<TensorSpec> outputs) throws UnknownGraph {
    byte[] model =
        writer.model(TreeGraphTest.BLOCKS.stream().map(each -> each.spec()).toList(), outputs);
    return TreeGraph.read(
        model,
        TreeGraphTest.BLOCKS,
        outputs,
        forest -> new TreeKernels.Choice(new FlatKernel(forest), new FlatKernel(forest), 2));
  }

  private static String reason(ModelWriter writer) {
    return assertThrows(UnknownGraph.class, () -> read(writer, OUTPUTS).close()).getMessage();
  }

  /** Returns why trees with other attributes are not taken. */
  private static String ofTrees(Consumer<Map<String, Object>> change) {
    Map<String, Object> attributes = attributes();
    change.accept(attributes);
    ModelWriter writer = new ModelWriter();
    writer.named("ai.onnx.ml", "TreeEnsemble", attributes, "raw", "candidate.f64");
    writer.named("", "Squeeze", Map.of(), "score", "raw", writer.integers(1));
    String reason = reason(writer);
    String where = "node 'node raw' (TreeEnsemble) ";
    assertEquals(where, reason.substring(0, where.length()));
    return reason.substring(where.length());
  }

  /** Returns why columns are not taken, or a head is not. */
  private static String ofGraph(BiFunction<ModelWriter, String, String> front, boolean head) {
    ModelWriter writer = new ModelWriter();
    String x = head ? "candidate.f64" : front.apply(writer, "candidate.f64");
    writer.named("ai.onnx.ml", "TreeEnsemble", attributes(), "raw", x);
    String score = writer.node("Squeeze", "raw", writer.integers(1));
    String last = head ? front.apply(writer, score) : score;
    writer.named("", "Identity", Map.of(), "score", last);
    return reason(writer);
  }

  @Test
  void treesThatAreKnownAreTaken() throws UnknownGraph {
    ModelWriter writer = new ModelWriter();
    writer.named("ai.onnx.ml", "TreeEnsemble", attributes(), "raw", "candidate.f64");
    writer.named("", "Squeeze", Map.of(), "score", "raw", writer.integers(1));
    assertEquals(List.of("flat"), read(writer, OUTPUTS).kernels());
  }

  @Test
  void treesThatAForestDoesNotHoldAreNotTaken() {
    assertEquals("does not sum its leaves", ofTrees(all -> all.put("aggregate_function", 0)));
    assertEquals("transforms its sums", ofTrees(all -> all.put("post_transform", 2)));
    assertEquals("has 0 targets", ofTrees(all -> all.put("n_targets", 0)));
    assertEquals("has the attribute 'new'", ofTrees(all -> all.put("new", 1)));
    assertEquals("has no tree_roots", ofTrees(all -> all.remove("tree_roots")));
    assertEquals("has the root 2", ofTrees(all -> all.put("tree_roots", new long[] {2})));
    assertEquals(
        "has split 1 under two parents", ofTrees(all -> all.put("tree_roots", new long[] {0, 1})));
    assertEquals(
        "has split 0 under two parents",
        ofTrees(all -> all.put("nodes_falsenodeids", new long[] {0, 2})));
    assertEquals(
        "has the child 2 of split 0",
        ofTrees(all -> all.put("nodes_falsenodeids", new long[] {2, 2})));
    assertEquals(
        "has the child 3 of split 1",
        ofTrees(all -> all.put("nodes_falsenodeids", new long[] {1, 3})));
    assertEquals(
        "has a split of mode 4",
        ofTrees(
            all -> all.put("nodes_modes", ModelWriter.tensor("", null, new double[] {4, 0}, 2))));
    assertEquals(
        "has a threshold NaN", ofTrees(all -> all.put("nodes_splits", doubles(1, Double.NaN))));
    assertEquals(
        "has another type in nodes_splits",
        ofTrees(
            all -> all.put("nodes_splits", ModelWriter.tensor("", Type.F32, new double[2], 2))));
    assertEquals(
        "has 1 values in nodes_splits", ofTrees(all -> all.put("nodes_splits", doubles(1))));
    assertEquals(
        "has 1 values in nodes_trueleafs",
        ofTrees(all -> all.put("nodes_trueleafs", new long[] {1})));
    assertEquals(
        "looks at column 4 of F64[n, 4]",
        ofTrees(all -> all.put("nodes_featureids", new long[] {0, 4})));
    assertEquals(
        "has a flag that is neither 0 nor 1",
        ofTrees(all -> all.put("nodes_missing_value_tracks_true", new long[] {0, 2})));
    assertEquals(
        "has a leaf of target 1", ofTrees(all -> all.put("leaf_targetids", new long[] {0, 0, 1})));
    assertEquals(
        "has a leaf NaN", ofTrees(all -> all.put("leaf_weights", doubles(1, Double.NaN, 1))));
  }

  @Test
  void setsThatTheRuntimeDoesNotAskRightAreNotTaken() {
    Consumer<Map<String, Object>> member =
        all -> all.put("nodes_modes", ModelWriter.tensor("", null, new double[] {6, 1}, 2));
    assertEquals(
        "asks for membership of what may be no integer, which the runtime does not do right",
        ofTrees(member.andThen(all -> all.put("membership_values", doubles(1, Double.NaN)))));
    assertEquals(
        "has not one set for each split that needs one",
        ofTrees(
            all -> {
              all.put("membership_values", doubles(1, Double.NaN));
            }));
  }

  @Test
  void columnsOfOtherOperatorsOrShapesAreNotTaken() {
    assertEquals(
        "node 'node Sin1' (Sin) is of an operator that this engine does not know",
        ofGraph((writer, x) -> writer.named("", "Sin", Map.of(), "Sin1", x), false));
    assertEquals(
        "node 'node t' (Transpose) is of an operator that this engine does not know",
        ofGraph((writer, x) -> writer.named("", "Transpose", Map.of(), "t", x), false));
    assertEquals(
        "node 'node a' (Add) broadcasts F64[n, 4] and F64[3]",
        ofGraph(
            (writer, x) ->
                writer.named(
                    "", "Add", Map.of(), "a", x, writer.constant(Type.F64, new double[3], 3)),
            false));
    assertEquals(
        "node 'node g' (Gather) gathers column 4 of F64[n, 4]",
        ofGraph(
            (writer, x) ->
                writer.named("", "Gather", Map.of("axis", 1), "g", x, writer.integers(4)),
            false));
    assertEquals(
        "node 'node g' (Gather) works along axis 0 of F64[n, 4]",
        ofGraph(
            (writer, x) ->
                writer.named("", "Gather", Map.of("axis", 0), "g", x, writer.integers(0)),
            false));
    assertEquals(
        "node 'node c' (Concat) puts F64[1, 2] beside F64[n, 4]",
        ofGraph(
            (writer, x) -> writer.named("", "Concat", Map.of("axis", 1), "c", x, "context.f64"),
            false));
    assertEquals(
        "node 'node k' (Cast) follows a cast from I64 to F64, which the runtime leaves out",
        ofGraph(
            (writer, x) ->
                writer.named(
                    "",
                    "Cast",
                    Map.of("to", ModelWriter.typeNumber(Type.F32)),
                    "k",
                    writer.node(
                        "Cast", Map.of("to", ModelWriter.typeNumber(Type.F64)), "candidate.i64")),
            false));
  }

  @Test
  void headsWhoseBitsAreNotCertainAreNotTaken() {
    assertEquals(
        "node 'node s' (Sigmoid) is of an operator that this engine does not know",
        ofGraph((writer, y) -> writer.named("", "Sigmoid", Map.of(), "s", y), true));
    String constant = "the output 'score' is worked out from scores by more than one constant";
    assertEquals(constant, ofGraph((writer, y) -> writer.node("Add", y, y), true));
    assertEquals(
        constant, ofGraph((writer, y) -> writer.node("Add", y, writer.scalar(Type.F64, 0)), true));
    assertEquals(
        constant, ofGraph((writer, y) -> writer.node("Div", writer.scalar(Type.F64, 1), y), true));
    assertEquals(
        "the output 'score' is no score of trees, a constant times or beside it",
        ofGraph((writer, y) -> writer.node("Abs", y), true));
    assertEquals(
        "the output 'score' is worked out as F32[n]",
        ofGraph(
            (writer, y) -> writer.node("Cast", Map.of("to", ModelWriter.typeNumber(Type.F32)), y),
            true));
  }

  @Test
  void aModelWithoutTreesIsNoConcern() throws UnknownGraph {
    ModelWriter writer = new ModelWriter();
    writer.named("", "Identity", Map.of(), "score", "candidate.f64");
    assertFalse(TreeGraph.isOfTrees(writer.model(List.of(), OUTPUTS)));
    assertThrows(UnknownGraph.class, () -> TreeGraph.isOfTrees(new byte[] {1, 2, 3}));
  }
}
