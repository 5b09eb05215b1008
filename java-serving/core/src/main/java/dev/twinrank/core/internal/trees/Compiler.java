package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.trees.Expression.Scope;
import dev.twinrank.core.internal.trees.Load.Guard;
import dev.twinrank.core.internal.trees.Load.Kind;
import dev.twinrank.core.internal.trees.Program.Fill;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Makes a program of expressions. Not thread-safe; used once. */
final class Compiler {
  private static final Guard[] NOTHING = {};
  private static final int MOST_REGISTERS = 1 << 16;

  private final List<Block> blocks;
  private final Map<Expression, Integer> registers = new HashMap<>();
  private final Set<Expression> spread = new HashSet<>();
  private final List<Fill> constants = new ArrayList<>();
  private final List<Fill> spreads = new ArrayList<>();
  private final List<Load> slateLoads = new ArrayList<>();
  private final List<Load> rowLoads = new ArrayList<>();
  private final List<Step> slateSteps = new ArrayList<>();
  private final List<Step> rowSteps = new ArrayList<>();
  private final List<Step> scoreSteps = new ArrayList<>();
  private final List<Store> slateStores = new ArrayList<>();
  private final List<Store> rowStores = new ArrayList<>();
  private int floats;
  private int longs;

  private Compiler(List<Block> blocks) {
    this.blocks = blocks;
  }

  /**
   * Makes a program.
   *
   * @param columns by forest, the columns that its splits look at
   * @param targets by forest, its scores
   * @param outputs what the graph gives
   * @param specs what it should give, in the same order
   * @throws UnknownGraph if an output is not of its shape, or its bits would not be the runtime's
   */
  static Program compile(
      List<Block> blocks,
      List<Expression[]> columns,
      List<Expression[]> targets,
      List<Grid> outputs,
      List<TensorSpec> specs)
      throws UnknownGraph {
    return new Compiler(blocks).program(columns, targets, outputs, specs);
  }

  private Program program(
      List<Expression[]> columns,
      List<Expression[]> targets,
      List<Grid> outputs,
      List<TensorSpec> specs)
      throws UnknownGraph {
    int[][] columnRegisters = new int[columns.size()][];
    int[][] targetRegisters = new int[targets.size()][];
    for (int i = 0; i < columnRegisters.length; i++) {
      columnRegisters[i] = registers(columns.get(i), true);
    }
    for (int i = 0; i < targetRegisters.length; i++) {
      targetRegisters[i] = registers(targets.get(i), false);
    }
    for (int i = 0; i < outputs.size(); i++) {
      Outputs.check(outputs.get(i), specs.get(i));
      store(i, outputs.get(i));
    }
    if (floats + longs > MOST_REGISTERS) {
      throw new UnknownGraph("it works on more than " + MOST_REGISTERS + " columns");
    }
    return new Program(
        floats,
        longs,
        List.copyOf(constants),
        slateLoads.toArray(Load[]::new),
        slateSteps.toArray(Step[]::new),
        spreads.toArray(Fill[]::new),
        rowLoads.toArray(Load[]::new),
        rowSteps.toArray(Step[]::new),
        columnRegisters,
        targetRegisters,
        scoreSteps.toArray(Step[]::new),
        slateStores.toArray(Store[]::new),
        rowStores.toArray(Store[]::new));
  }

  private int[] registers(Expression[] expressions, boolean rows) throws UnknownGraph {
    int[] all = new int[expressions.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = register(expressions[i]);
      if (rows) {
        spread(expressions[i]);
      }
    }
    return all;
  }

  private void store(int output, Grid grid) throws UnknownGraph {
    for (int i = 0; i < grid.width(); i++) {
      Expression each = grid.column(i);
      Store store = new Store(grid.type(), output, i, grid.width(), register(each));
      if (grid.many()) {
        spread(each);
        rowStores.add(store);
      } else {
        slateStores.add(store);
      }
    }
  }

  /** Makes every row of a register the one that a slate has. */
  private void spread(Expression expression) {
    if (expression.scope == Scope.SLATE && spread.add(expression)) {
      spreads.add(new Fill(expression.type, registers.get(expression), 0));
    }
  }

  /** Returns where an expression is when it was worked out, which it is after its operands. */
  private int register(Expression wanted) throws UnknownGraph {
    Deque<Expression> open = new ArrayDeque<>();
    open.push(wanted);
    while (!open.isEmpty()) {
      Expression next = open.peek();
      if (registers.containsKey(next) || leaf(next)) {
        open.pop();
        continue;
      }
      boolean ready = true;
      for (Expression operand : new Expression[] {next.a, next.b, next.c}) {
        if (operand != null && !registers.containsKey(operand)) {
          open.push(operand);
          ready = false;
        }
      }
      if (ready) {
        step(open.pop());
      }
    }
    return registers.get(wanted);
  }

  private int place(Expression expression) {
    int place = expression.type.isFloat() ? floats++ : longs++;
    registers.put(expression, place);
    return place;
  }

  /** Gives a register to what needs no operands, and says whether it is such. */
  private boolean leaf(Expression expression) throws UnknownGraph {
    switch (expression.op) {
      case CONSTANT -> constants.add(new Fill(expression.type, place(expression), expression.bits));
      case TARGET -> place(expression);
      case CANDIDATES ->
          throw new UnknownGraph("it works with the number of candidates as a value");
      default -> {
        Load load = load(expression);
        if (load == null) {
          return false;
        }
        (expression.scope == Scope.SLATE ? slateLoads : rowLoads).add(load);
      }
    }
    return true;
  }

  private void step(Expression expression) {
    boolean rows = expression.scope != Scope.SLATE;
    int[] operands = new int[3];
    Expression[] given = {expression.a, expression.b, expression.c};
    for (int i = 0; i < given.length; i++) {
      if (given[i] != null) {
        operands[i] = registers.get(given[i]);
        if (rows) {
          spread(given[i]);
        }
      }
    }
    Step step =
        new Step(
            expression.op,
            place(expression),
            operands[0],
            operands[1],
            operands[2],
            expression.table);
    switch (expression.scope) {
      case SLATE -> slateSteps.add(step);
      case SCORE -> scoreSteps.add(step);
      default -> rowSteps.add(step);
    }
  }

  /**
   * Returns how a column is read in one go: as it is, as a double, and with what its state column
   * replaces; or null if there is more to it.
   */
  private Load load(Expression expression) {
    List<Guard> guards = new ArrayList<>();
    Expression value = expression;
    boolean widened = false;
    while (value.op != Op.COLUMN) {
      if (value.op == Op.WIDENED_FLOAT) {
        value = value.a;
      } else if (value.op == Op.INTEGER_TO_F64) {
        widened = true;
        value = value.a;
      } else if (value.op == Op.WHERE_FLOAT || (value.op == Op.WHERE_INTEGER && widened)) {
        Guard guard = guard(value);
        if (guard == null) {
          return null;
        }
        guards.add(guard);
        value = value.b.isConstant() ? value.c : value.b;
      } else {
        return null;
      }
    }
    if (value.scope != expression.scope || (value.type == Type.BOOL)) {
      return null;
    }
    Kind kind =
        switch (value.type) {
          case F64 -> Kind.F64;
          case F32 -> Kind.F32;
          default -> widened ? Kind.I64_TO_F64 : Kind.I64;
        };
    Collections.reverse(guards);
    return new Load(
        kind,
        value.source(),
        value.place(),
        blocks.get(value.source()).width(),
        place(expression),
        guards.isEmpty() ? NOTHING : guards.toArray(Guard[]::new));
  }

  /** Returns a choice between a constant and something else by a state, or null if it is none. */
  private Guard guard(Expression where) {
    Expression test = where.a;
    if (test.op != Op.EQUAL_INTEGER
        || where.b.isConstant() == where.c.isConstant()
        || test.a.isConstant() == test.b.isConstant()) {
      return null;
    }
    Expression state = test.a.isConstant() ? test.b : test.a;
    if (state.op != Op.COLUMN || state.scope != where.scope) {
      return null;
    }
    boolean equal = where.b.isConstant();
    Expression value = equal ? where.b : where.c;
    return new Guard(
        state.source(),
        state.place(),
        blocks.get(state.source()).width(),
        (test.a.isConstant() ? test.a : test.b).bits,
        equal,
        value.type.isFloat() ? Double.longBitsToDouble(value.bits) : value.bits);
  }
}
