package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.trees.Walk.Ensemble;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A graph of trees that is scored here and not by ONNX Runtime, with the same bits. Immutable and
 * thread-safe; nothing of it is native.
 */
public final class TreeGraph implements NativeGraph {
  private final Program program;
  private final List<TreeKernels.Choice> kernels;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;

  /** Makes kernels for a forest. */
  public interface Maker {
    /** Returns the kernels that score a forest quickest. */
    TreeKernels.Choice of(Forest forest);
  }

  private TreeGraph(
      Program program,
      List<TreeKernels.Choice> kernels,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs) {
    this.program = program;
    this.kernels = List.copyOf(kernels);
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /**
   * Returns whether an operator of trees is among a model's nodes.
   *
   * @throws UnknownGraph if the bytes are no model
   */
  public static boolean isOfTrees(byte[] model) throws UnknownGraph {
    return Graph.hasTrees(model);
  }

  /**
   * Reads a graph.
   *
   * @param model the very bytes that were checked
   * @param blocks the graph's inputs, in order
   * @param outputs the outputs that are wanted, in order
   * @throws UnknownGraph if not everything that the outputs need is known
   */
  public static TreeGraph read(
      byte[] model, List<Block> blocks, List<TensorSpec> outputs, Maker maker) throws UnknownGraph {
    Walk walk = new Walk(Graph.read(model), blocks);
    List<Grid> grids = walk.outputs(outputs.stream().map(TensorSpec::name).toList());
    List<Expression[]> columns = new ArrayList<>();
    List<Expression[]> targets = new ArrayList<>();
    List<TreeKernels.Choice> kernels = new ArrayList<>();
    for (Ensemble each : walk.forests()) {
      columns.add(
          Arrays.stream(each.trees().columns())
              .mapToObj(i -> each.columns()[i])
              .toArray(Expression[]::new));
      targets.add(each.targets());
      kernels.add(maker.of(each.trees().forest()));
    }
    List<TensorSpec> inputs = blocks.stream().map(Block::spec).toList();
    Program program = Compiler.compile(blocks, columns, targets, grids, outputs);
    return new TreeGraph(program, kernels, inputs, List.copyOf(outputs));
  }

  /** Returns the names of the kernels, forest by forest: that of few rows, and that of many. */
  public List<String> kernels() {
    return kernels.stream()
        .map(
            each ->
                each.alone().name().equals(each.block().name())
                    ? each.block().name()
                    : "%s, from %d candidates on %s"
                        .formatted(each.alone().name(), each.many(), each.block().name()))
        .toList();
  }

  @Override
  public Workspace workspace() {
    return new TreeWorkspace(program, kernels, inputs, outputs);
  }

  /** Does nothing: the collector frees it. */
  @Override
  public void close() {}
}
