package dev.twinrank.core.internal.trees;

import static dev.twinrank.core.internal.trees.TreeGraphTest.column;

import dev.twinrank.core.DType;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/** Draws a graph: columns made of blocks in every known way, trees, heads of their scores. */
final class RandomGraph {
  private static final String ML = "ai.onnx.ml";

  private final Random random;
  private final Type type;
  private final ModelWriter writer = new ModelWriter();
  private final List<TensorSpec> outputs = new ArrayList<>();
  private final RandomTrees trees;
  private final byte[] model;
  private final Set<String> casts = new HashSet<>();
  private final List<Integer> whole = new ArrayList<>();
  private int width;

  RandomGraph(Random random) {
    this.random = random;
    this.type = random.nextInt(3) == 0 ? Type.F32 : Type.F64;
    List<String> parts = new ArrayList<>();
    int count = 1 + random.nextInt(6);
    for (int i = 0; i < count; i++) {
      parts.add(part());
    }
    String x =
        parts.size() == 1
            ? parts.get(0)
            : writer.node("Concat", Map.of("axis", 1), parts.toArray(String[]::new));
    int targets = random.nextBoolean() ? 1 : 1 + random.nextInt(4);
    trees = new RandomTrees(random, type, width, whole, targets, random.nextBoolean());
    writer.named(ML, "TreeEnsemble", trees.attributes(), "raw", x);
    heads(targets);
    unseen();
    model = writer.model(TreeGraphTest.BLOCKS.stream().map(each -> each.spec()).toList(), outputs);
  }

  byte[] model() {
    return model;
  }

  List<TensorSpec> outputs() {
    return outputs;
  }

  double value(Random rows) {
    return trees.value(rows);
  }

  /** Casts; a cast right behind another would be left out by the runtime. */
  private String cast(Type to, String x) {
    String from = casts.contains(x) ? writer.node("Max", x, x) : x;
    String made = writer.node("Cast", Map.of("to", ModelWriter.typeNumber(to)), from);
    if (to != Type.BOOL) {
      casts.add(made);
    }
    return made;
  }

  /** Returns some columns [n, k] of the operator's type, and adds to the width. */
  private String part() {
    return switch (random.nextInt(11)) {
      case 0 -> typed(block("candidate.f64", 4), 4, Type.F64);
      case 1 -> typed(gathered("candidate.f64", 4, 3), 3, Type.F64);
      case 2 -> typed(sliced("candidate.f32", 1, 3), 2, Type.F32);
      case 3 -> typed(single(gatheredOne("candidate.i64", 2)), 1, Type.I64);
      case 4 -> typed(defaults(), 3, Type.F64);
      case 5 -> typed(single(guarded()), 1, Type.I64);
      case 6 -> typed(single(lookup(gatheredOne("candidate.i64", 3))), 1, Type.I64);
      case 7 -> typed(context(), 2, Type.F64);
      case 8 -> typed(contextLookup(), 1, Type.I64);
      case 9 -> rules();
      default -> typed(arithmetic(), 2, Type.F64);
    };
  }

  private String block(String name, int columns) {
    return random.nextBoolean() ? writer.node("Identity", name) : sliced(name, 0, columns);
  }

  private void add(int columns, boolean integers) {
    for (int i = 0; i < columns; i++) {
      if (integers) {
        whole.add(width);
      }
      width++;
    }
  }

  private String typed(String x, int columns, Type from) {
    add(columns, from == Type.I64);
    String next = x;
    if (from == Type.I64 && random.nextInt(3) == 0) {
      next = cast(Type.I32, next);
    }
    if (from != type || random.nextInt(4) == 0) {
      next = cast(type, next);
    }
    return next.equals(x) && from != type ? cast(type, x) : next;
  }

  private String gathered(String block, int columns, int count) {
    long[] places = random.ints(count, -columns, columns).asLongStream().toArray();
    return writer.node("Gather", Map.of("axis", 1), block, writer.integers(places));
  }

  private String gatheredOne(String block, int place) {
    return writer.node("Gather", Map.of("axis", 1), block, writer.scalar(Type.I64, place));
  }

  private String sliced(String block, int from, int to) {
    return writer.node(
        "Slice",
        block,
        writer.integers(from),
        writer.integers(to),
        writer.integers(1),
        writer.integers(1));
  }

  private String single(String x) {
    return random.nextBoolean()
        ? writer.node("Unsqueeze", x, writer.integers(1))
        : writer.node("Reshape", x, writer.integers(-1, 1));
  }

  /** Several columns whose state columns say where a default stands. */
  private String defaults() {
    String values =
        writer.node("Gather", Map.of("axis", 1), "candidate.f64", writer.integers(0, 2, 3));
    String states =
        writer.node("Gather", Map.of("axis", 1), "candidate.i64", writer.integers(0, 1, 4));
    String missing = writer.node("Equal", states, writer.scalar(Type.I64, 0));
    String nothing =
        random.nextBoolean()
            ? writer.scalar(Type.F64, Double.NaN)
            : writer.constant(Type.F64, new double[] {Double.NaN, 3, -1.5}, 1, 3);
    String filled = writer.node("Where", missing, nothing, values);
    if (random.nextBoolean()) {
      // A choice within a choice: which comes first decides where the state is neither.
      String present = writer.node("Equal", states, writer.scalar(Type.I64, 1));
      filled = writer.node("Where", present, filled, writer.scalar(Type.F64, 4.5));
    }
    if (random.nextBoolean()) {
      String invalid = writer.node("Equal", writer.scalar(Type.I64, 2), states);
      String kept = random.nextBoolean() ? invalid : writer.node("Not", invalid);
      String other = writer.scalar(Type.F64, 2.5);
      return kept.equals(invalid)
          ? writer.node("Where", invalid, other, filled)
          : writer.node("Where", kept, filled, other);
    }
    return filled;
  }

  /** An integer column with a default, as a vector. */
  private String guarded() {
    String missing =
        writer.node("Equal", gatheredOne("candidate.i64", 1), writer.scalar(Type.I64, 1));
    return random.nextBoolean()
        ? writer.node("Where", missing, writer.scalar(Type.I64, 7), gatheredOne("candidate.i64", 0))
        : writer.node("Where", missing, gatheredOne("candidate.i64", 0), writer.integers(4));
  }

  private String lookup(String keys) {
    long[] known = {-1, 0, 2, 3, Long.MIN_VALUE};
    return writer.named(
        ML,
        "LabelEncoder",
        random.nextBoolean()
            ? Map.of(
                "keys_int64s",
                known,
                "values_int64s",
                new long[] {5, 1, 4, 2, 3},
                "default_int64",
                0)
            : Map.of(
                "keys_tensor",
                ModelWriter.tensor("", Type.I64, new double[] {-1, 0, 2, 3, 4}, 5),
                "values_tensor",
                ModelWriter.tensor("", Type.I64, new double[] {9, 0, 3, 1, 2}, 5),
                "default_tensor",
                ModelWriter.tensor("", Type.I64, new double[] {6}, 1)),
        "label" + random.nextInt(Integer.MAX_VALUE),
        keys);
  }

  /** The context's columns in every row. */
  private String context() {
    String rows = writer.node("Shape", Map.of("start", 0, "end", 1), "candidate.f32");
    String repeats = writer.node("Concat", Map.of("axis", 0), rows, writer.integers(1));
    return writer.node(random.nextBoolean() ? "Tile" : "Expand", "context.f64", repeats);
  }

  private String contextLookup() {
    String found = lookup(gatheredOne("context.i64", 1));
    String column = writer.node("Unsqueeze", found, writer.integers(1));
    String rows = writer.node("Shape", "candidate.i64");
    String count = writer.node("Gather", rows, writer.integers(0));
    String repeats = writer.node("Concat", Map.of("axis", 0), count, writer.integers(1));
    return writer.node("Expand", column, repeats);
  }

  /** What the exporter's rules write, over columns of the operator's own type. */
  private String rules() {
    String block = type == Type.F64 ? "candidate.f64" : "candidate.f32";
    int columns = 2;
    String x = gathered(block, type == Type.F64 ? 4 : 3, columns);
    int rule = random.nextInt(4);
    add(columns, rule == 1 || rule == 2);
    switch (rule) {
      case 0 -> {
        String small =
            writer.node("LessOrEqual", writer.node("Abs", x), writer.scalar(type, (double) 1e-35f));
        return writer.node("Where", small, writer.scalar(type, Double.NaN), x);
      }
      case 1 -> {
        String above = writer.node("Greater", x, writer.scalar(type, -1));
        String whole = writer.node("Floor", writer.node("Max", x, writer.scalar(type, 0)));
        return writer.node("Where", above, whole, writer.scalar(type, -1));
      }
      case 2 -> {
        return writer.node("Floor", x);
      }
      default -> {
        return type == Type.F64 ? widened(x) : x;
      }
    }
  }

  /** What is kept as float32: two casts that the runtime keeps. */
  private String widened(String x) {
    String narrow = writer.node("Cast", Map.of("to", ModelWriter.typeNumber(Type.F32)), x);
    return writer.node("Cast", Map.of("to", ModelWriter.typeNumber(Type.F64)), narrow);
  }

  /** One of everything that is known beside that. */
  private String arithmetic() {
    String x = writer.node("Gather", Map.of("axis", 1), "candidate.f64", writer.integers(1, 3));
    String y = writer.constant(Type.F64, new double[] {2.5, -3}, 1, 2);
    String made = x;
    for (int i = 0; i < 3; i++) {
      made =
          switch (random.nextInt(14)) {
            case 0 -> writer.node("Add", made, y);
            case 1 -> writer.node("Sub", y, made);
            case 2 -> writer.node("Mul", made, y);
            case 3 -> writer.node("Max", made, y, writer.scalar(Type.F64, 1));
            case 4 -> writer.node("Min", made, y);
            case 5 -> writer.node("Neg", writer.node("Ceil", made));
            case 6 -> cast(Type.F64, writer.node("IsNaN", made));
            case 7 -> cast(Type.F64, cast(Type.BOOL, made));
            case 8 -> cast(Type.F64, cast(random.nextBoolean() ? Type.I64 : Type.I32, made));
            case 9 -> cast(Type.F64, writer.node("Add", cast(Type.F32, made), cast(Type.F32, y)));
            case 10 -> {
              String one = writer.node("Less", made, y);
              String other = writer.node("GreaterOrEqual", x, writer.scalar(Type.F64, 0));
              String both =
                  writer.node(List.of("And", "Or", "Xor").get(random.nextInt(3)), one, other);
              yield writer.node("Where", both, made, y);
            }
            case 11 -> writer.node("Div", made, y);
            case 12 -> {
              String truth = writer.node("Not", writer.node("Equal", made, x));
              yield writer.node("Where", truth, x, made);
            }
            default -> {
              String integers =
                  cast(Type.I64, writer.node("Min", made, writer.scalar(Type.F64, 5)));
              String more = writer.node("Mul", integers, writer.integers(3, -4));
              yield cast(
                  Type.F64,
                  writer.node("Max", more, writer.node("Sub", integers, writer.integers(2))));
            }
          };
    }
    return made;
  }

  private void heads(int targets) {
    String axis = writer.integers(1);
    for (int i = 0; i < targets; i++) {
      String column = writer.node("Gather", Map.of("axis", 1), "raw", writer.integers(i));
      String head = writer.node("Squeeze", column, axis);
      Type head64 = type;
      if (random.nextBoolean()) {
        head64 = type == Type.F64 ? Type.F32 : Type.F64;
        head = cast(head64, head);
      }
      switch (random.nextInt(4)) {
        case 0 -> head = writer.node("Div", head, writer.scalar(head64, 7));
        case 1 -> head = writer.node("Mul", writer.scalar(head64, -3), head);
        case 2 -> head = writer.node("Add", head, writer.scalar(head64, 0.1));
        default -> {
          // As it is.
        }
      }
      String name = i == targets - 1 ? "score" : "head." + i;
      writer.named("", "Identity", Map.of(), name, head);
      outputs.add(column(name, head64 == Type.F64 ? DType.FLOAT64 : DType.FLOAT32));
    }
  }

  /** Counts of unseen values, as the exporter writes them. */
  private void unseen() {
    if (random.nextBoolean()) {
      return;
    }
    for (String placement : List.of("context", "candidate")) {
      String block = placement + ".i64";
      List<String> counts = new ArrayList<>();
      for (int place : IntStream.range(0, 2).toArray()) {
        String row = lookup(gatheredOne(block, place));
        String flag = writer.node("Equal", row, writer.scalar(Type.I64, 0));
        String present = writer.node("Equal", gatheredOne(block, 2), writer.scalar(Type.I64, 1));
        String kept = writer.node("And", flag, present);
        counts.add(writer.node("Unsqueeze", cast(Type.I64, kept), writer.integers(1)));
      }
      String name = "unseen." + placement;
      writer.named("", "Concat", Map.of("axis", 1), name, counts.toArray(String[]::new));
      List<Long> dims = Arrays.asList(placement.equals("context") ? 1L : -1L, 2L);
      outputs.add(new TensorSpec(name, DType.INT64, dims));
    }
  }
}
