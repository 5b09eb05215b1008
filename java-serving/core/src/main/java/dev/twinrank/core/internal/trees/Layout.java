package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.trees.Graph.Node;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/** The operators that only move elements, as far as rows stay rows. Not thread-safe. */
final class Layout {
  /** The size of the axis of candidates. */
  private static final long CANDIDATES = -1;

  /** A size that follows from the others. */
  private static final long FREE = -2;

  private final Expressions expressions;

  Layout(Expressions expressions) {
    this.expressions = expressions;
  }

  /**
   * Works on a node, if it is of an operator of this class.
   *
   * @throws UnknownGraph if it is, but not on shapes that are known
   */
  Optional<Grid> of(Node node, List<Grid> in) throws UnknownGraph {
    return switch (node.operator()) {
      case "Identity" -> Optional.of(plain(node, in, 1));
      case "Gather" -> Optional.of(gather(node, in));
      case "Slice" -> Optional.of(slice(node, in));
      case "Concat" -> Optional.of(concat(node, in));
      case "Squeeze" -> Optional.of(squeeze(node, in));
      case "Unsqueeze" -> Optional.of(unsqueeze(node, in));
      case "Reshape" -> Optional.of(reshape(node, in));
      case "Expand" -> Optional.of(expand(node, in));
      case "Tile" -> Optional.of(tile(node, in));
      case "Shape" -> Optional.of(shape(node, in));
      default -> Optional.empty();
    };
  }

  private static Grid plain(Node node, List<Grid> in, int count) throws UnknownGraph {
    node.allow(Set.of());
    return first(node, in, count);
  }

  private static Grid first(Node node, List<Grid> in, int count) throws UnknownGraph {
    if (in.size() != count) {
      throw UnknownGraph.at(node, "has " + in.size() + " inputs instead of " + count);
    }
    return in.get(0);
  }

  private Grid gather(Node node, List<Grid> in) throws UnknownGraph {
    node.allow(Set.of("axis"));
    Grid x = first(node, in, 2);
    Grid which = in.get(1);
    requireColumns(node, x, node.integer("axis", 0));
    if (!which.isConstant() || which.type().isFloat() || which.rank() > 1) {
      throw UnknownGraph.at(node, "gathers by " + which + ", which is no constant of one axis");
    }
    long[] places = which.constants();
    int[] columns = new int[places.length];
    for (int i = 0; i < columns.length; i++) {
      long place = places[i] < 0 ? places[i] + x.width() : places[i];
      if (place < 0 || place >= x.width()) {
        throw UnknownGraph.at(node, "gathers column " + places[i] + " of " + x);
      }
      columns[i] = (int) place;
    }
    Grid chosen = x.chosen(columns);
    return which.rank() == 0 ? chosen.shaped(x.rank() - 1, x.many()) : chosen;
  }

  private Grid slice(Node node, List<Grid> in) throws UnknownGraph {
    node.allow(Set.of());
    if (in.size() < 3 || in.size() > 5) {
      throw UnknownGraph.at(node, "has " + in.size() + " inputs");
    }
    Grid x = in.get(0);
    long start = single(node, in.get(1));
    long end = single(node, in.get(2));
    long axis = in.size() > 3 ? single(node, in.get(3)) : 0;
    long step = in.size() > 4 ? single(node, in.get(4)) : 1;
    requireColumns(node, x, axis);
    if (step < 1) {
      throw UnknownGraph.at(node, "slices by steps of " + step);
    }
    long from = bound(start, x.width());
    long to = bound(end, x.width());
    if (from >= to) {
      throw UnknownGraph.at(node, "slices nothing out of " + x);
    }
    return x.chosen(
        IntStream.range((int) from, (int) to).filter(i -> (i - from) % step == 0).toArray());
  }

  private static long bound(long place, int width) {
    return Math.max(0, Math.min(width, place < 0 ? place + width : place));
  }

  private static Grid concat(Node node, List<Grid> in) throws UnknownGraph {
    node.allow(Set.of("axis"));
    if (in.isEmpty()) {
      throw UnknownGraph.at(node, "has no inputs");
    }
    Grid shape = in.get(0);
    requireColumns(node, shape, node.integer("axis", 0));
    List<Expression> columns = new ArrayList<>();
    for (Grid each : in) {
      if (each.rank() != shape.rank()
          || each.many() != shape.many()
          || each.type() != shape.type()) {
        throw UnknownGraph.at(node, "puts " + each + " beside " + shape);
      }
      columns.addAll(Arrays.asList(each.columns()));
      if (columns.size() > Grid.WIDEST) {
        throw UnknownGraph.at(node, "makes more than " + Grid.WIDEST + " columns");
      }
    }
    return shape.of(shape.type(), columns.toArray(Expression[]::new));
  }

  private Grid squeeze(Node node, List<Grid> in) throws UnknownGraph {
    Grid x = plain(node, in, 2);
    long axis = single(node, in.get(1));
    axis = axis < 0 ? axis + x.rank() : axis;
    if (x.rank() == 2 && axis == 1 && x.width() == 1) {
      return x.shaped(1, x.many());
    }
    if (axis == 0 && !x.many() && (x.rank() == 2 || (x.rank() == 1 && x.width() == 1))) {
      return x.shaped(x.rank() - 1, false);
    }
    throw UnknownGraph.at(node, "takes axis " + axis + " from " + x);
  }

  private Grid unsqueeze(Node node, List<Grid> in) throws UnknownGraph {
    Grid x = plain(node, in, 2);
    long axis = single(node, in.get(1));
    axis = axis < 0 ? axis + x.rank() + 1 : axis;
    if (x.rank() == 0 && axis == 0) {
      return x.shaped(1, false);
    }
    boolean column = x.rank() == 1 && axis == 1 && x.width() == 1;
    boolean row = x.rank() == 1 && axis == 0 && !x.many();
    if (column || row) {
      return x.shaped(2, x.many());
    }
    throw UnknownGraph.at(node, "gives " + x + " the axis " + axis);
  }

  private Grid reshape(Node node, List<Grid> in) throws UnknownGraph {
    node.allow(Set.of("allowzero"));
    Grid x = first(node, in, 2);
    long[] wanted = sizes(node, in.get(1), true);
    // -1 stands for what is left: for the candidates, if there are any, as [-1] or [-1, columns].
    boolean rows = wanted.length > 0 && (wanted[0] == CANDIDATES || wanted[0] == FREE);
    long columns = wanted.length == 0 ? 1 : wanted[wanted.length - 1];
    if (x.many()) {
      boolean line = wanted.length == 1 && rows && x.width() == 1;
      boolean table =
          wanted.length == 2
              && rows
              && (columns == x.width() || (columns == FREE && wanted[0] == CANDIDATES));
      if (line || table) {
        return x.shaped(wanted.length, true);
      }
    } else if (wanted.length <= 2
        && (wanted.length < 2 || wanted[0] == 1 || (wanted[0] == FREE && columns == x.width()))
        && (columns == x.width() || (columns == FREE && (wanted.length < 2 || wanted[0] == 1)))) {
      return x.shaped(wanted.length, false);
    }
    throw UnknownGraph.at(node, "reshapes " + x + " in a way that is not known");
  }

  private Grid expand(Node node, List<Grid> in) throws UnknownGraph {
    Grid x = plain(node, in, 2);
    long[] sizes = sizes(node, in.get(1), false);
    int rank = Math.max(x.rank(), sizes.length);
    boolean lies = x.rank() == 1 && x.many() && rank == 2;
    if (rank > 2 || lies) {
      throw UnknownGraph.at(node, "expands " + x + " to " + sizes.length + " axes");
    }
    boolean many = x.many();
    int width = x.width();
    for (int i = 0; i < sizes.length; i++) {
      int axis = rank - sizes.length + i;
      boolean line = rank == 1 && (x.many() || sizes[i] == CANDIDATES);
      if (axis == 0 && (rank == 2 || line)) {
        if (sizes[i] != 1 && sizes[i] != CANDIDATES) {
          throw UnknownGraph.at(node, "expands " + x + " to " + sizes[i] + " rows");
        }
        if (line && width != 1) {
          throw UnknownGraph.at(node, "expands " + x + " along its columns");
        }
        many |= sizes[i] == CANDIDATES;
      } else {
        if (sizes[i] == CANDIDATES || (sizes[i] != 1 && width != 1 && sizes[i] != width)) {
          throw UnknownGraph.at(node, "expands " + x + " along its columns");
        }
        width = Math.max(width, (int) sizes[i]);
      }
    }
    return new Grid(rank, many, x.type(), repeated(x, width));
  }

  private static Expression[] repeated(Grid x, int width) {
    Expression[] columns = new Expression[width];
    Arrays.setAll(columns, x::column);
    return columns;
  }

  private Grid tile(Node node, List<Grid> in) throws UnknownGraph {
    Grid x = plain(node, in, 2);
    long[] times = sizes(node, in.get(1), false);
    boolean fits = times.length == x.rank() && x.rank() > 0;
    boolean rows = fits && times[0] == CANDIDATES && !x.many();
    boolean columns = fits && (x.rank() == 1 ? x.width() == 1 : times[1] == 1);
    if (rows && columns) {
      return x.shaped(x.rank(), true);
    }
    if (fits && Arrays.stream(times).allMatch(each -> each == 1)) {
      return x;
    }
    throw UnknownGraph.at(node, "repeats " + x + " in a way that is not known");
  }

  private Grid shape(Node node, List<Grid> in) throws UnknownGraph {
    node.allow(Set.of("start", "end"));
    Grid x = first(node, in, 1);
    long start = node.integer("start", 0);
    long end = node.integer("end", x.rank());
    Expression[] sizes = new Expression[x.rank()];
    for (int i = 0; i < sizes.length; i++) {
      boolean rows = i == 0 && (x.many() || x.rank() == 2);
      if (rows && x.many()) {
        sizes[i] = expressions.candidates();
      } else {
        sizes[i] = expressions.constant(Type.I64, rows ? 1 : x.width());
      }
    }
    long from = bound(start, sizes.length);
    long to = bound(end, sizes.length);
    if (from >= to) {
      throw UnknownGraph.at(node, "takes no axis of the shape " + x);
    }
    return new Grid(1, false, Type.I64, Arrays.copyOfRange(sizes, (int) from, (int) to));
  }

  /** Returns the sizes that a grid of integers holds, the number of candidates as −1. */
  private static long[] sizes(Node node, Grid grid, boolean mayBeFree) throws UnknownGraph {
    if (grid.type() != Type.I64 || grid.rank() != 1 || grid.many()) {
      throw UnknownGraph.at(node, "takes sizes from " + grid);
    }
    long[] sizes = new long[grid.width()];
    for (int i = 0; i < sizes.length; i++) {
      Expression each = grid.column(i);
      if (each.op == Op.CANDIDATES) {
        sizes[i] = CANDIDATES;
      } else if (each.isConstant()
          && (each.bits >= 1 || (mayBeFree && each.bits == -1))
          && each.bits <= Grid.WIDEST) {
        sizes[i] = each.bits < 0 ? FREE : each.bits;
      } else {
        throw UnknownGraph.at(node, "takes sizes that are not known before a slate is");
      }
    }
    return sizes;
  }

  private static long single(Node node, Grid grid) throws UnknownGraph {
    if (!grid.isConstant() || grid.type().isFloat() || grid.width() != 1) {
      throw UnknownGraph.at(node, "takes " + grid + " where one constant integer is known");
    }
    return grid.column(0).bits;
  }

  private static void requireColumns(Node node, Grid grid, long axis) throws UnknownGraph {
    long wanted = axis < 0 ? axis + grid.rank() : axis;
    if (!grid.hasColumnAxis() || wanted != grid.columnAxis()) {
      throw UnknownGraph.at(node, "works along axis " + axis + " of " + grid);
    }
  }
}
