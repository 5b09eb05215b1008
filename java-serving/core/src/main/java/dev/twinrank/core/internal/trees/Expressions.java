package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.trees.Expression.Scope;
import java.util.HashMap;
import java.util.Map;

/**
 * Makes expressions, each once, with constants worked out. Not thread-safe.
 *
 * <p>Types are the caller's: {@link Elementwise} has checked them.
 */
final class Expressions {
  private static final int MOST = 1_000_000;

  private record Key(
      Op op, Type type, Expression a, Expression b, Expression c, long bits, Table table) {}

  private final Map<Key, Expression> all = new HashMap<>();

  Expression constant(Type type, long bits) throws UnknownGraph {
    return make(Op.CONSTANT, type, Scope.CONSTANT, null, null, null, bits, null);
  }

  Expression column(Type type, int block, int place, boolean context) throws UnknownGraph {
    Scope scope = context ? Scope.SLATE : Scope.ROW;
    return make(Op.COLUMN, type, scope, null, null, null, pair(block, place), null);
  }

  Expression target(Type type, int forest, int place) throws UnknownGraph {
    return make(Op.TARGET, type, Scope.SCORE, null, null, null, pair(forest, place), null);
  }

  Expression candidates() throws UnknownGraph {
    return make(Op.CANDIDATES, Type.I64, Scope.SLATE, null, null, null, 0, null);
  }

  Expression lookup(Op op, Type type, Expression key, Table table) throws UnknownGraph {
    return apply(op, type, key, null, null, table);
  }

  Expression of(Op op, Type type, Expression a) throws UnknownGraph {
    return apply(op, type, a, null, null, null);
  }

  Expression of(Op op, Type type, Expression a, Expression b) throws UnknownGraph {
    return apply(op, type, a, b, null, null);
  }

  Expression of(Op op, Type type, Expression a, Expression b, Expression c) throws UnknownGraph {
    return apply(op, type, a, b, c, null);
  }

  private Expression apply(Op op, Type type, Expression a, Expression b, Expression c, Table table)
      throws UnknownGraph {
    Scope scope = a.scope;
    scope = b == null ? scope : scope.and(b.scope);
    scope = c == null ? scope : scope.and(c.scope);
    if (scope == Scope.CONSTANT) {
      return constant(type, worked(op, type, a, b, c, table));
    }
    return make(op, type, scope, a, b, c, 0, table);
  }

  private Expression make(
      Op op,
      Type type,
      Scope scope,
      Expression a,
      Expression b,
      Expression c,
      long bits,
      Table table)
      throws UnknownGraph {
    Key key = new Key(op, type, a, b, c, bits, table);
    Expression found = all.get(key);
    if (found == null) {
      if (all.size() >= MOST) {
        throw new UnknownGraph("it has more than " + MOST + " expressions in front of its trees");
      }
      found = new Expression(op, type, scope, a, b, c, bits, table);
      all.put(key, found);
    }
    return found;
  }

  /** Works a constant out by the very loop that works on columns. */
  private static long worked(
      Op op, Type type, Expression a, Expression b, Expression c, Table table) {
    Registers one = new Registers(4, 4);
    one.grow(1, 1);
    Expression[] operands = {a, b, c};
    for (int i = 0; i < operands.length; i++) {
      if (operands[i] != null) {
        one.fill(operands[i].type, i + 1, operands[i].bits);
      }
    }
    op.run(one, new Step(op, 0, 1, 2, 3, table), 1);
    return type.isFloat() ? Double.doubleToRawLongBits(one.floats(0)[0]) : one.longs(0)[0];
  }

  private static long pair(int source, int place) {
    return (long) source << Integer.SIZE | place;
  }
}
