package dev.twinrank.server.api;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.core.DType;
import dev.twinrank.core.Feature;
import dev.twinrank.core.ListSpec;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.Placement;
import dev.twinrank.core.RankRequest;
import dev.twinrank.core.Schema;
import dev.twinrank.server.problem.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A request as the model reads it, feature by feature: contract section 5 backwards, from the very
 * blocks that the graph is given. Immutable and thread-safe.
 */
final class Explanation {
  private static final int NONE = -1;
  private static final String COUNTS = "i64";
  private static final String[] STATES = {"missing", "present", "invalid"};

  /**
   * Where a feature's values lie.
   *
   * @param block the name of the block of the values
   * @param offset the first column there
   * @param width how many values, if it is a list or vector
   * @param grouped whether the positions are rows of the block and not columns
   * @param length the column of the length; {@value #NONE} if it has none
   * @param state the column of the state; {@value #NONE} if it is always present
   */
  private record Cell(
      Feature feature,
      String block,
      int offset,
      int width,
      boolean grouped,
      int length,
      int state) {}

  private final Map<String, PackedBlock> blocks;
  private final List<Cell> context;
  private final List<Cell> candidate;

  private Explanation(Map<String, PackedBlock> blocks, List<Cell> context, List<Cell> candidate) {
    this.blocks = blocks;
    this.context = context;
    this.candidate = candidate;
  }

  /** Explains a request that was made for a model of that schema. */
  static Explanation of(Schema schema, RankRequest request) {
    return new Explanation(
        request.blocks().stream().collect(Collectors.toMap(PackedBlock::name, Function.identity())),
        cells(Placement.CONTEXT, schema.context()),
        cells(Placement.CANDIDATE, schema.candidate()));
  }

  /** Returns where the features of a placement lie: its columns are laid out in schema order. */
  private static List<Cell> cells(Placement placement, List<Feature> features) {
    String counts = placement.label() + "." + COUNTS;
    Map<String, Integer> widths = new HashMap<>();
    Map<String, Integer> groupLengths = new HashMap<>();
    List<Cell> cells = new ArrayList<>();
    for (Feature feature : features) {
      boolean grouped = feature.group().isPresent();
      int positions =
          feature
              .list()
              .map(ListSpec::maxLength)
              .orElseGet(() -> feature.vector().map(vector -> vector.length()).orElse(1));
      String block =
          placement.label()
              + feature.group().map(group -> "." + group).orElse("")
              + "."
              + suffix(feature.dtype());
      int offset = take(widths, block, grouped ? 1 : positions);
      int length = NONE;
      if (grouped) {
        length =
            groupLengths.computeIfAbsent(feature.group().get(), group -> take(widths, counts, 1));
      } else if (feature.list().isPresent()) {
        length = take(widths, counts, 1);
      }
      int state = feature.hasState() ? take(widths, counts, 1) : NONE;
      cells.add(new Cell(feature, block, offset, positions, grouped, length, state));
    }
    return cells;
  }

  private static int take(Map<String, Integer> widths, String block, int columns) {
    return widths.merge(block, columns, Integer::sum) - columns;
  }

  private static String suffix(DType dtype) {
    return switch (dtype) {
      case FLOAT32 -> "f32";
      case FLOAT64 -> "f64";
      default -> COUNTS;
    };
  }

  /** Writes the context's features as the members of an object. */
  void context(JsonGenerator json) throws IOException {
    write(json, Placement.CONTEXT, context, 0);
  }

  /** Writes a candidate's features as the members of an object. */
  void candidate(JsonGenerator json, int index) throws IOException {
    write(json, Placement.CANDIDATE, candidate, index);
  }

  private void write(JsonGenerator json, Placement placement, List<Cell> cells, int row)
      throws IOException {
    for (Cell cell : cells) {
      json.writeObjectFieldStart(cell.feature.name());
      int state = cell.state == NONE ? 1 : count(placement, cell.state, row);
      json.writeStringField("state", STATES[state]);
      if (state == 1) {
        values(json, placement, cell, row);
      }
      json.writeEndObject();
    }
  }

  private int count(Placement placement, int column, int row) {
    PackedBlock block = blocks.get(placement.label() + "." + COUNTS);
    int width = (int) block.shape()[1];
    return (int) block.data().getLong((row * width + column) * Long.BYTES);
  }

  private void values(JsonGenerator json, Placement placement, Cell cell, int row)
      throws IOException {
    boolean key = cell.feature.dtype() == DType.STRING;
    boolean many = cell.feature.list().isPresent() || cell.feature.vector().isPresent();
    PackedBlock block = blocks.get(cell.block);
    ByteBuffer data = block.data();
    if (!many) {
      json.writeFieldName(key ? "key" : "value");
      value(json, cell.feature.dtype(), data, place(block, cell, row, 0));
      return;
    }
    int length = cell.length == NONE ? cell.width : count(placement, cell.length, row);
    json.writeNumberField("length", length);
    json.writeArrayFieldStart(key ? "keys" : "values");
    for (int i = 0; i < length; i++) {
      value(json, cell.feature.dtype(), data, place(block, cell, row, i));
    }
    json.writeEndArray();
  }

  private static int place(PackedBlock block, Cell cell, int row, int position) {
    long[] shape = block.shape();
    return cell.grouped
        ? Math.toIntExact((row * shape[1] + position) * shape[2] + cell.offset)
        : Math.toIntExact(row * shape[1] + cell.offset + position);
  }

  private static void value(JsonGenerator json, DType dtype, ByteBuffer data, int place)
      throws IOException {
    switch (dtype) {
      case FLOAT32 -> Json.writeNumber(json, data.getFloat(place * Float.BYTES));
      case FLOAT64 -> Json.writeNumber(json, data.getDouble(place * Double.BYTES));
      case BOOL -> json.writeBoolean(data.getLong(place * Long.BYTES) != 0);
      case STRING -> json.writeString("%016x".formatted(data.getLong(place * Long.BYTES)));
      default -> json.writeNumber(data.getLong(place * Long.BYTES));
    }
  }
}
