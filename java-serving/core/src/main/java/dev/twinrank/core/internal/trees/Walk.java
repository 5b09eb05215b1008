package dev.twinrank.core.internal.trees;

import dev.twinrank.core.Placement;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.trees.Graph.Node;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Walks a graph from its blocks to its outputs, with every tensor as expressions a column. Not
 * thread-safe.
 *
 * <p>Only what an output needs is looked at, and of that everything must be known.
 */
final class Walk {
  private static final String ONNX = "";
  private static final String TABLES = "ai.onnx.ml";
  private static final String CAST = "Cast";
  // What all tensors of a graph may have together: a hostile graph could double them node by node.
  private static final long MOST_CELLS = 20_000_000;

  private final Graph graph;
  private final Expressions expressions = new Expressions();
  private final Elementwise elementwise = new Elementwise(expressions);
  private final Layout layout = new Layout(expressions);
  private final Map<String, Grid> known = new HashMap<>();
  private final Map<String, Node> makers = new HashMap<>();
  private final List<Ensemble> forests = new ArrayList<>();
  private long cells;

  /**
   * One operator of trees.
   *
   * @param trees what it holds
   * @param columns its input
   * @param targets its scores
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared, never changed
  record Ensemble(EnsembleReader.Trees trees, Expression[] columns, Expression[] targets) {}

  Walk(Graph graph, List<Block> blocks) throws UnknownGraph {
    this.graph = graph;
    for (int i = 0; i < blocks.size(); i++) {
      Block block = blocks.get(i);
      if (block.positions() == 0) {
        known.put(block.name(), block(i, block));
      }
    }
  }

  private Grid block(int index, Block block) throws UnknownGraph {
    Type type =
        switch (block.dtype()) {
          case FLOAT32 -> Type.F32;
          case FLOAT64 -> Type.F64;
          default -> Type.I64;
        };
    boolean context = block.placement() == Placement.CONTEXT;
    Expression[] columns = new Expression[block.width()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = expressions.column(type, index, i, context);
    }
    return new Grid(2, !context, type, columns);
  }

  /**
   * Returns the graph's outputs.
   *
   * @throws UnknownGraph if one needs what is not known
   */
  List<Grid> outputs(List<String> names) throws UnknownGraph {
    Set<String> needed = new HashSet<>(names);
    List<Node> nodes = graph.nodes();
    List<Node> used = new ArrayList<>();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      if (nodes.get(i).outputs().stream().anyMatch(needed::contains)) {
        used.add(nodes.get(i));
        needed.addAll(nodes.get(i).inputs());
      }
    }
    for (int i = used.size() - 1; i >= 0; i--) {
      Node node = used.get(i);
      if (node.outputs().size() != 1) {
        throw UnknownGraph.at(node, "has " + node.outputs().size() + " outputs");
      }
      Grid made = made(node);
      cells += made.width();
      if (cells > MOST_CELLS) {
        throw new UnknownGraph("its tensors have more than " + MOST_CELLS + " columns");
      }
      known.put(node.outputs().get(0), made);
      makers.put(node.outputs().get(0), node);
    }
    List<Grid> outputs = new ArrayList<>();
    for (String name : names) {
      outputs.add(tensor(name));
    }
    return outputs;
  }

  /** Returns the operators of trees that the outputs need, in the order of the model. */
  List<Ensemble> forests() {
    return forests;
  }

  private Grid made(Node node) throws UnknownGraph {
    if (node.isOf(ONNX, "Constant")) {
      return constant(node);
    }
    List<Grid> in = new ArrayList<>();
    for (String name : node.inputs()) {
      in.add(tensor(node, name));
    }
    Optional<Grid> made = Optional.empty();
    if (node.isOf(TABLES, Graph.ENSEMBLE)) {
      made = Optional.of(ensemble(node, in));
    } else if (node.isOf(TABLES, "LabelEncoder")) {
      made = Optional.of(lookup(node, in));
    } else if (node.domain().equals(ONNX)) {
      requireKeptCast(node);
      made = elementwise.of(node, in);
      made = made.isPresent() ? made : layout.of(node, in);
    }
    return made.orElseThrow(
        () -> UnknownGraph.at(node, "is of an operator that this engine does not know"));
  }

  /**
   * Refuses a cast right behind another, except where the runtime, which leaves out the first at
   * every level of optimisation, changes nothing by it: it takes integers on their way through
   * float64 to float32, or through int64 to int32, straight there.
   */
  private void requireKeptCast(Node node) throws UnknownGraph {
    if (!node.operator().equals(CAST)) {
      return;
    }
    Node before = makers.get(node.input(0));
    while (before != null && before.isOf(ONNX, "Identity")) {
      before = makers.get(before.input(0));
    }
    if (before == null || !before.isOf(ONNX, CAST)) {
      return;
    }
    Type from = tensor(before.input(0)).type();
    Type over = tensor(node.input(0)).type();
    boolean floats = from.isFloat() && over.isFloat();
    boolean kept = floats || from == Type.I32 || from == Type.BOOL || over == Type.BOOL;
    if (!kept) {
      throw UnknownGraph.at(
          node, "follows a cast from " + from + " to " + over + ", which the runtime leaves out");
    }
  }

  private Grid tensor(Node node, String name) throws UnknownGraph {
    try {
      return tensor(name);
    } catch (UnknownGraph e) {
      throw UnknownGraph.at(node, "reads what is not known: " + e.getMessage());
    }
  }

  private Grid tensor(String name) throws UnknownGraph {
    Grid found = known.get(name);
    if (found != null) {
      return found;
    }
    Values values = graph.initialisers().get(name);
    if (values == null) {
      throw new UnknownGraph("'" + name + "' is no tensor of rows and columns");
    }
    Grid made = constant(values);
    known.put(name, made);
    return made;
  }

  private Grid constant(Node node) throws UnknownGraph {
    node.allow(Set.of("value"));
    Values values = node.tensor("value");
    if (values == null) {
      throw UnknownGraph.at(node, "has no tensor");
    }
    return constant(values);
  }

  private Grid constant(Values values) throws UnknownGraph {
    long[] dims = values.dims();
    boolean flat = dims.length < 2 || (dims.length == 2 && dims[0] == 1);
    Optional<Type> type = values.type();
    if (!flat || type.isEmpty() || values.size() < 1 || values.size() > Grid.WIDEST) {
      throw new UnknownGraph(
          "the constant '"
              + values.name()
              + "' has ONNX's type "
              + values.number()
              + " and the shape "
              + Arrays.toString(dims));
    }
    long[] bits = values.bits();
    Expression[] columns = new Expression[bits.length];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = expressions.constant(type.get(), bits[i]);
    }
    return new Grid(dims.length, false, type.get(), columns);
  }

  private Grid ensemble(Node node, List<Grid> in) throws UnknownGraph {
    Grid x = in.size() == 1 ? in.get(0) : null;
    if (x == null || x.rank() != 2 || !x.many() || !x.type().isFloat()) {
      throw UnknownGraph.at(node, "scores " + in + " instead of a row a candidate");
    }
    for (Expression each : x.columns()) {
      if (each.scope == Expression.Scope.SCORE) {
        throw UnknownGraph.at(node, "looks at what other trees gave");
      }
    }
    EnsembleReader.Trees trees = EnsembleReader.read(node, x);
    Expression[] targets = new Expression[trees.forest().targets()];
    for (int i = 0; i < targets.length; i++) {
      targets[i] = expressions.target(x.type(), forests.size(), i);
    }
    forests.add(new Ensemble(trees, x.columns(), targets));
    return new Grid(2, true, x.type(), targets);
  }

  private Grid lookup(Node node, List<Grid> in) throws UnknownGraph {
    node.allow(
        Set.of(
            "keys_int64s",
            "values_int64s",
            "default_int64",
            "keys_tensor",
            "values_tensor",
            "default_tensor"));
    Grid x = in.size() == 1 ? in.get(0) : null;
    boolean tensors = node.attributes().containsKey("keys_tensor");
    long[] keys = node.integers("keys_int64s");
    long[] values = node.integers("values_int64s");
    long otherwise = node.integer("default_int64", -1);
    Type type = Type.I64;
    if (tensors && keys == null && values == null) {
      Values given = node.tensor("values_tensor");
      Values missing = node.tensor("default_tensor");
      boolean typed =
          node.tensor("keys_tensor").type().equals(Optional.of(Type.I64))
              && given != null
              && given.type().isPresent()
              && missing != null
              && missing.type().equals(given.type())
              && missing.size() == 1;
      if (typed && !node.attributes().containsKey("default_int64")) {
        keys = node.tensor("keys_tensor").bits();
        values = given.bits();
        otherwise = missing.bits()[0];
        type = given.type().get();
      }
    }
    if (x == null
        || x.type() != Type.I64
        || keys == null
        || values == null
        || keys.length != values.length) {
      throw UnknownGraph.at(node, "is no table of integers");
    }
    Table table =
        Table.of(keys, values, otherwise)
            .orElseThrow(() -> UnknownGraph.at(node, "has a key twice"));
    Op op = type.isFloat() ? Op.LOOKUP_FLOAT : Op.LOOKUP_INTEGER;
    Expression[] columns = new Expression[x.width()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = expressions.lookup(op, type, x.column(i), table);
    }
    return x.of(type, columns);
  }
}
