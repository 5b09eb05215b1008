package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.trees.Graph.Node;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The operators that go over elements, with the broadcasting of ONNX. Not thread-safe. */
final class Elementwise {
  private static final Set<String> NONE = Set.of();

  private static final Map<String, Map<Type, Op>> ONE =
      Map.of(
          "Abs", floats(Op.ABS_FLOAT, Op.ABS_FLOAT),
          "Neg", floats(Op.NEG_FLOAT, Op.NEG_FLOAT),
          "Floor", floats(Op.FLOOR_FLOAT, Op.FLOOR_FLOAT),
          "Ceil", floats(Op.CEIL_FLOAT, Op.CEIL_FLOAT),
          "IsNaN", floats(Op.IS_NAN, Op.IS_NAN),
          "Not", Map.of(Type.BOOL, Op.NOT));

  private static final Map<String, Map<Type, Op>> TWO =
      Map.ofEntries(
          Map.entry("Add", numbers(Op.ADD_F64, Op.ADD_F32, Op.ADD_I64, Op.ADD_I32)),
          Map.entry("Sub", numbers(Op.SUB_F64, Op.SUB_F32, Op.SUB_I64, Op.SUB_I32)),
          Map.entry("Mul", numbers(Op.MUL_F64, Op.MUL_F32, Op.MUL_I64, Op.MUL_I32)),
          Map.entry("Div", floats(Op.DIV_F64, Op.DIV_F32)),
          Map.entry("Max", numbers(Op.MAX_FLOAT, Op.MAX_FLOAT, Op.MAX_INTEGER, Op.MAX_INTEGER)),
          Map.entry("Min", numbers(Op.MIN_FLOAT, Op.MIN_FLOAT, Op.MIN_INTEGER, Op.MIN_INTEGER)),
          Map.entry(
              "Equal",
              Map.of(
                  Type.F64,
                  Op.EQUAL_FLOAT,
                  Type.F32,
                  Op.EQUAL_FLOAT,
                  Type.I64,
                  Op.EQUAL_INTEGER,
                  Type.I32,
                  Op.EQUAL_INTEGER,
                  Type.BOOL,
                  Op.EQUAL_INTEGER)),
          Map.entry(
              "Less", numbers(Op.LESS_FLOAT, Op.LESS_FLOAT, Op.LESS_INTEGER, Op.LESS_INTEGER)),
          Map.entry(
              "LessOrEqual",
              numbers(
                  Op.LESS_OR_EQUAL_FLOAT,
                  Op.LESS_OR_EQUAL_FLOAT,
                  Op.LESS_OR_EQUAL_INTEGER,
                  Op.LESS_OR_EQUAL_INTEGER)),
          Map.entry("And", Map.of(Type.BOOL, Op.AND)),
          Map.entry("Or", Map.of(Type.BOOL, Op.OR)),
          Map.entry("Xor", Map.of(Type.BOOL, Op.XOR)));

  private static final Map<String, String> TURNED =
      Map.of("Greater", "Less", "GreaterOrEqual", "LessOrEqual");

  private static final Set<String> TRUTHS = Set.of("Equal", "Less", "LessOrEqual", "IsNaN");
  private static final Set<String> LISTS = Set.of("Max", "Min");

  private final Expressions expressions;

  Elementwise(Expressions expressions) {
    this.expressions = expressions;
  }

  private static Map<Type, Op> floats(Op wide, Op narrow) {
    return Map.of(Type.F64, wide, Type.F32, narrow);
  }

  private static Map<Type, Op> numbers(Op wide, Op narrow, Op longs, Op ints) {
    return Map.of(Type.F64, wide, Type.F32, narrow, Type.I64, longs, Type.I32, ints);
  }

  /**
   * Works on a node, if it is of an operator of this class.
   *
   * @throws UnknownGraph if it is, but not of types or shapes that are known
   */
  Optional<Grid> of(Node node, List<Grid> in) throws UnknownGraph {
    String operator = TURNED.getOrDefault(node.operator(), node.operator());
    if (operator.equals("Where")) {
      node.allow(NONE);
      return Optional.of(where(node, arity(node, in, 3)));
    }
    if (operator.equals("Cast")) {
      node.allow(Set.of("to", "saturate"));
      return Optional.of(cast(node, arity(node, in, 1).get(0)));
    }
    if (ONE.containsKey(operator)) {
      node.allow(NONE);
      return Optional.of(one(node, arity(node, in, 1).get(0)));
    }
    if (!TWO.containsKey(operator)) {
      return Optional.empty();
    }
    node.allow(NONE);
    if (LISTS.contains(operator) && !in.isEmpty()) {
      Grid all = in.get(0);
      for (Grid next : in.subList(1, in.size())) {
        all = two(node, operator, all, next);
      }
      return Optional.of(all);
    }
    List<Grid> both = arity(node, in, 2);
    boolean turned = TURNED.containsKey(node.operator());
    return Optional.of(two(node, operator, both.get(turned ? 1 : 0), both.get(turned ? 0 : 1)));
  }

  private static List<Grid> arity(Node node, List<Grid> in, int count) throws UnknownGraph {
    if (in.size() != count) {
      throw UnknownGraph.at(node, "has " + in.size() + " inputs instead of " + count);
    }
    return in;
  }

  private Grid one(Node node, Grid x) throws UnknownGraph {
    Op op = known(node, ONE.get(node.operator()), x.type());
    Type type = TRUTHS.contains(node.operator()) ? Type.BOOL : x.type();
    Expression[] columns = new Expression[x.width()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = expressions.of(op, type, x.column(i));
    }
    return x.of(type, columns);
  }

  private Grid two(Node node, String operator, Grid x, Grid y) throws UnknownGraph {
    if (x.type() != y.type()) {
      throw UnknownGraph.at(node, "works on " + x + " and " + y);
    }
    Op op = known(node, TWO.get(operator), x.type());
    Type type = TRUTHS.contains(operator) ? Type.BOOL : x.type();
    Grid shape = together(node, x, y);
    Expression[] columns = new Expression[shape.width()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = expressions.of(op, type, x.column(i), y.column(i));
    }
    return shape.of(type, columns);
  }

  private Grid where(Node node, List<Grid> in) throws UnknownGraph {
    Grid which = in.get(0);
    Grid x = in.get(1);
    Grid y = in.get(2);
    if (which.type() != Type.BOOL || x.type() != y.type()) {
      throw UnknownGraph.at(node, "works on " + which + ", " + x + " and " + y);
    }
    Op op = x.type().isFloat() ? Op.WHERE_FLOAT : Op.WHERE_INTEGER;
    Grid shape = together(node, together(node, which, x), y);
    Expression[] columns = new Expression[shape.width()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = expressions.of(op, x.type(), which.column(i), x.column(i), y.column(i));
    }
    return shape.of(x.type(), columns);
  }

  private Grid cast(Node node, Grid x) throws UnknownGraph {
    Type to =
        Type.of(node.integer("to", 0))
            .orElseThrow(() -> UnknownGraph.at(node, "casts to a type that columns do not have"));
    Op op = cast(x.type(), to);
    if (op == null) {
      // The value is the same, and so is what it is kept in; only its type is another.
      op = x.type().isFloat() ? Op.WIDENED_FLOAT : Op.WIDENED_INTEGER;
    }
    Expression[] columns = new Expression[x.width()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = x.type() == to ? x.column(i) : expressions.of(op, to, x.column(i));
    }
    return x.of(to, columns);
  }

  private static Op cast(Type from, Type to) {
    if (from.isFloat()) {
      return switch (to) {
        case F32 -> Op.F64_TO_F32;
        case F64 -> null;
        case I32 -> Op.FLOAT_TO_I32;
        case I64 -> Op.FLOAT_TO_I64;
        case BOOL -> Op.FLOAT_TO_BOOL;
      };
    }
    return switch (to) {
      case F32 -> Op.INTEGER_TO_F32;
      case F64 -> Op.INTEGER_TO_F64;
      case I32 -> from == Type.I64 ? Op.I64_TO_I32 : null;
      case I64 -> null;
      case BOOL -> Op.INTEGER_TO_BOOL;
    };
  }

  private static Op known(Node node, Map<Type, Op> ops, Type type) throws UnknownGraph {
    Op op = ops.get(type);
    if (op == null) {
      throw UnknownGraph.at(node, "works on " + type);
    }
    return op;
  }

  /** Returns the shape of two grids that are broadcast against each other. */
  private static Grid together(Node node, Grid x, Grid y) throws UnknownGraph {
    int rank = Math.max(x.rank(), y.rank());
    boolean many = x.many() || y.many();
    int width = Math.max(x.width(), y.width());
    boolean columns = x.width() == width || x.width() == 1;
    columns &= y.width() == width || y.width() == 1;
    // Axes are aligned at the end: an axis of candidates stands over columns where the ranks
    // differ.
    boolean aligned = aligned(x, rank, width, y) && aligned(y, rank, width, x);
    if (!columns || !aligned) {
      throw UnknownGraph.at(node, "broadcasts " + x + " and " + y);
    }
    return new Grid(rank, many, x.type(), width == x.width() ? x.columns() : y.columns());
  }

  private static boolean aligned(Grid x, int rank, int width, Grid other) {
    // [n] against [r, c] would lay candidates along columns; against [c] it needs one column.
    return !(x.rank() == 1 && x.many()) || (rank == 1 && width == 1 && other.width() == 1);
  }
}
