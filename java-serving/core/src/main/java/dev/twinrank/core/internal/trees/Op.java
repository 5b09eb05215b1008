package dev.twinrank.core.internal.trees;

/**
 * What a program does to whole columns, and to single values where they are constants. Floats of
 * both widths lie in arrays of doubles, exactly; truths are 0 and 1.
 *
 * <p>Each is what ONNX Runtime 1.29.0 computes, measured; RATIONALE.md has the cases that the
 * operators' specification leaves open. The sign of a zero and the payload of a NaN are not kept by
 * all: nothing here, and no split, can tell them.
 */
@SuppressWarnings("ImmutableEnumChecker") // loops hold nothing
enum Op {
  ADD_F64(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] + y[i];
        }
      }),
  ADD_F32(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (float) x[i] + (float) y[i];
        }
      }),
  SUB_F64(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] - y[i];
        }
      }),
  SUB_F32(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (float) x[i] - (float) y[i];
        }
      }),
  MUL_F64(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] * y[i];
        }
      }),
  MUL_F32(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (float) x[i] * (float) y[i];
        }
      }),
  DIV_F64(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] / y[i];
        }
      }),
  DIV_F32(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (float) x[i] / (float) y[i];
        }
      }),
  /** The larger one; NaN if either is. */
  MAX_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.max(x[i], y[i]);
        }
      }),
  /** The smaller one; NaN if either is. */
  MIN_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.min(x[i], y[i]);
        }
      }),
  ABS_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.abs(x[i]);
        }
      }),
  NEG_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = -x[i];
        }
      }),
  FLOOR_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.floor(x[i]);
        }
      }),
  CEIL_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.ceil(x[i]);
        }
      }),
  WHERE_FLOAT(
      (r, s, n) -> {
        long[] which = r.longs(s.a());
        double[] x = r.floats(s.b());
        double[] y = r.floats(s.c());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = which[i] != 0 ? x[i] : y[i];
        }
      }),
  IS_NAN(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Double.isNaN(x[i]) ? 1 : 0;
        }
      }),
  EQUAL_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] == y[i] ? 1 : 0;
        }
      }),
  LESS_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] < y[i] ? 1 : 0;
        }
      }),
  LESS_OR_EQUAL_FLOAT(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] y = r.floats(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] <= y[i] ? 1 : 0;
        }
      }),
  ADD_I64(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] + y[i];
        }
      }),
  ADD_I32(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (int) (x[i] + y[i]);
        }
      }),
  SUB_I64(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] - y[i];
        }
      }),
  SUB_I32(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (int) (x[i] - y[i]);
        }
      }),
  MUL_I64(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] * y[i];
        }
      }),
  MUL_I32(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (int) (x[i] * y[i]);
        }
      }),
  MAX_INTEGER(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.max(x[i], y[i]);
        }
      }),
  MIN_INTEGER(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Math.min(x[i], y[i]);
        }
      }),
  EQUAL_INTEGER(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] == y[i] ? 1 : 0;
        }
      }),
  LESS_INTEGER(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] < y[i] ? 1 : 0;
        }
      }),
  LESS_OR_EQUAL_INTEGER(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] <= y[i] ? 1 : 0;
        }
      }),
  WHERE_INTEGER(
      (r, s, n) -> {
        long[] which = r.longs(s.a());
        long[] x = r.longs(s.b());
        long[] y = r.longs(s.c());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = which[i] != 0 ? x[i] : y[i];
        }
      }),
  AND(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] & y[i];
        }
      }),
  OR(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] | y[i];
        }
      }),
  XOR(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] y = r.longs(s.b());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] ^ y[i];
        }
      }),
  NOT(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] ^ 1;
        }
      }),
  /** An integer's nearest double; exact for 32 bits and truths. */
  INTEGER_TO_F64(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i];
        }
      }),
  INTEGER_TO_F32(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (float) x[i];
        }
      }),
  /** A float as a wider one: the same value. */
  WIDENED_FLOAT((r, s, n) -> System.arraycopy(r.floats(s.a()), 0, r.floats(s.out()), 0, n)),
  /** An integer or a truth as a wider integer: the same value. */
  WIDENED_INTEGER((r, s, n) -> System.arraycopy(r.longs(s.a()), 0, r.longs(s.out()), 0, n)),
  F64_TO_F32(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (float) x[i];
        }
      }),
  /** The integer part; the smallest of all where 64 bits do not hold it, and for NaN. */
  FLOAT_TO_I64(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] < 0x1p63 ? (long) x[i] : Long.MIN_VALUE; // NaN is not less
        }
      }),
  /** The integer part; the smallest of all where 32 bits do not hold it, and for NaN. */
  FLOAT_TO_I32(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] < 0x1p31 ? (int) x[i] : Integer.MIN_VALUE;
        }
      }),
  I64_TO_I32(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = (int) x[i];
        }
      }),
  INTEGER_TO_BOOL(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] != 0 ? 1 : 0;
        }
      }),
  /** Whether it is not zero; so is NaN. */
  FLOAT_TO_BOOL(
      (r, s, n) -> {
        double[] x = r.floats(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = x[i] != 0 ? 1 : 0;
        }
      }),
  LOOKUP_INTEGER(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        long[] z = r.longs(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = s.table().bits(x[i]);
        }
      }),
  LOOKUP_FLOAT(
      (r, s, n) -> {
        long[] x = r.longs(s.a());
        double[] z = r.floats(s.out());
        for (int i = 0; i < n; i++) {
          z[i] = Double.longBitsToDouble(s.table().bits(x[i]));
        }
      }),
  /** A constant. */
  CONSTANT(null),
  /** A column of a block. */
  COLUMN(null),
  /** A score of a forest. */
  TARGET(null),
  /** The number of candidates, which only shapes may hold. */
  CANDIDATES(null);

  /** Goes over the first rows of columns. */
  interface Loop {
    void run(Registers registers, Step step, int rows);
  }

  private final Loop loop;

  Op(Loop loop) {
    this.loop = loop;
  }

  void run(Registers registers, Step step, int rows) {
    loop.run(registers, step, rows);
  }
}
