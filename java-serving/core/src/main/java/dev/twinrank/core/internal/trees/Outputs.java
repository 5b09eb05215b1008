package dev.twinrank.core.internal.trees;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.TensorSpec;

/** What the engine gives as an output: only what has the runtime's bits for certain. */
final class Outputs {
  private Outputs() {}

  /**
   * Makes sure that an output is what the manifest says, and that its bits are the runtime's.
   *
   * @throws UnknownGraph if not
   */
  static void check(Grid grid, TensorSpec spec) throws UnknownGraph {
    boolean many = spec.dims().get(0) < 0;
    long width = spec.dims().size() < 2 ? 1 : spec.dims().get(1);
    Type type =
        spec.dtype() == DType.FLOAT64
            ? Type.F64
            : spec.dtype() == DType.FLOAT32 ? Type.F32 : Type.I64;
    if (grid.rank() != spec.dims().size()
        || grid.many() != many
        || grid.width() != width
        || grid.type() != type) {
      throw new UnknownGraph("the output '" + spec.name() + "' is worked out as " + grid);
    }
    for (Expression each : grid.columns()) {
      if (type.isFloat()) {
        score(spec.name(), each);
      } else if (each.scope == Expression.Scope.SCORE) {
        throw new UnknownGraph("the output '" + spec.name() + "' makes integers of scores");
      }
    }
  }

  /**
   * Follows a head back to a forest's score. The runtime makes +0 of a -0 here and there, and
   * leaves out what it takes for nothing; sums have no -0, and a product's shows only where such a
   * thing follows.
   */
  private static void score(String name, Expression head) throws UnknownGraph {
    Expression at = head;
    while (at.op != Op.TARGET) {
      switch (at.op) {
        case WIDENED_FLOAT, F64_TO_F32 -> at = at.a;
        case ADD_F64, ADD_F32, SUB_F64, SUB_F32, MUL_F64, MUL_F32, DIV_F64, DIV_F32 -> {
          boolean left = at.a.isConstant();
          Expression constant = left ? at.a : at.b;
          double value = Double.longBitsToDouble(constant.bits);
          boolean divides = at.op == Op.DIV_F64 || at.op == Op.DIV_F32;
          if (!constant.isConstant()
              || value == 0
              || !Double.isFinite(value)
              || (left && divides)) {
            throw new UnknownGraph(
                "the output '" + name + "' is worked out from scores by more than one constant");
          }
          at = left ? at.b : at.a;
        }
        default ->
            throw new UnknownGraph(
                "the output '" + name + "' is no score of trees, a constant times or beside it");
      }
    }
  }
}
