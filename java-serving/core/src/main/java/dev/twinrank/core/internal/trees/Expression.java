package dev.twinrank.core.internal.trees;

/**
 * One column's value as an expression over columns of blocks. Immutable; equal ones are one object,
 * made by {@link Expressions}.
 */
final class Expression {
  /** What an expression depends on. */
  enum Scope {
    /** On nothing. */
    CONSTANT,
    /** On the context alone, or on the number of candidates. */
    SLATE,
    /** On the candidate. */
    ROW,
    /** On what a forest gave for the candidate. */
    SCORE;

    Scope and(Scope other) {
      return compareTo(other) < 0 ? other : this;
    }
  }

  final Op op;
  final Type type;
  final Scope scope;

  /** Operands; null where there is none. */
  final Expression a;

  final Expression b;
  final Expression c;

  /** A constant's bits; of a column its block and place, of a target its forest and place. */
  final long bits;

  /** What a lookup looks into; null otherwise. */
  final Table table;

  private final boolean whole;

  Expression(
      Op op,
      Type type,
      Scope scope,
      Expression a,
      Expression b,
      Expression c,
      long bits,
      Table table) {
    this.op = op;
    this.type = type;
    this.scope = scope;
    this.a = a;
    this.b = b;
    this.c = c;
    this.bits = bits;
    this.table = table;
    this.whole = whole();
  }

  /**
   * Returns whether every value is an integer, an infinity or NaN.
   *
   * <p>Splits by sets need it: for -0.5 or 2.5 the operator of 1.29.0 finds members that they are
   * not, where it keeps a set as a mask of bits.
   */
  boolean isWhole() {
    return whole;
  }

  private boolean whole() {
    return switch (op) {
      case CONSTANT -> whole(type.isFloat() ? Double.longBitsToDouble(bits) : 0);
      case COLUMN -> !type.isFloat();
      case FLOOR_FLOAT, CEIL_FLOAT -> true;
      case ABS_FLOAT, NEG_FLOAT, WIDENED_FLOAT, F64_TO_F32 -> a.whole;
      case MAX_FLOAT, MIN_FLOAT -> a.whole && b.whole;
      case WHERE_FLOAT -> b.whole && c.whole;
      default -> !type.isFloat() || op == Op.INTEGER_TO_F64 || op == Op.INTEGER_TO_F32;
    };
  }

  private static boolean whole(double value) {
    return value == Math.rint(value) || Double.isNaN(value);
  }

  boolean isConstant() {
    return op == Op.CONSTANT;
  }

  /** Returns the block of a column, or the forest of a target. */
  int source() {
    return (int) (bits >>> Integer.SIZE);
  }

  /** Returns a column's place in its block, or a target's in its forest. */
  int place() {
    return (int) bits;
  }
}
