package dev.twinrank.core.internal.trees;

import java.util.Arrays;

/**
 * A tensor as expressions, one a column: every row has the same. Immutable.
 *
 * <p>Its shape is one of: no axis; one axis of columns; one axis of all candidates, a column then;
 * two axes, the first of one row or of all candidates, the second of columns.
 *
 * @param rank the number of axes, 0 to 2
 * @param many whether the first axis is that of the candidates
 * @param type the type of every column
 * @param columns the expressions
 */
@SuppressWarnings("ArrayRecordComponent") // never compared, never changed
record Grid(int rank, boolean many, Type type, Expression[] columns) {
  /** How many columns a tensor may have; sizes of operands are read from the model. */
  static final int WIDEST = 1 << 16;

  static Grid scalar(Expression value) {
    return new Grid(0, false, value.type, new Expression[] {value});
  }

  int width() {
    return columns.length;
  }

  Expression column(int index) {
    return columns[columns.length == 1 ? 0 : index];
  }

  Grid shaped(int newRank, boolean newMany) {
    return new Grid(newRank, newMany, type, columns);
  }

  Grid of(Type newType, Expression[] newColumns) {
    return new Grid(rank, many, newType, newColumns);
  }

  /** Returns chosen columns in the same shape. */
  Grid chosen(int[] places) {
    Expression[] some = new Expression[places.length];
    Arrays.setAll(some, i -> columns[places[i]]);
    return of(type, some);
  }

  /** Returns whether the number of columns may be changed: it is an axis. */
  boolean hasColumnAxis() {
    return rank == 2 || (rank == 1 && !many);
  }

  /** Returns the axis of the columns. */
  int columnAxis() {
    return rank - 1;
  }

  /** Returns whether every column is a constant. */
  boolean isConstant() {
    return Arrays.stream(columns).allMatch(Expression::isConstant);
  }

  /** Returns the bits of constants. */
  long[] constants() {
    return Arrays.stream(columns).mapToLong(each -> each.bits).toArray();
  }

  /** Returns the shape, for messages. */
  @Override
  public String toString() {
    String first = many ? "n" : "1";
    return type
        + switch (rank) {
          case 0 -> "[]";
          case 1 -> many ? "[n]" : "[" + width() + "]";
          default -> "[" + first + ", " + width() + "]";
        };
  }
}
