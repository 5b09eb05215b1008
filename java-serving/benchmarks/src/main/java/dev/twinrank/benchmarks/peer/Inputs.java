package dev.twinrank.benchmarks.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.twinrank.benchmarks.Request;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The packed inputs of a bundle's graph, and which values of a request make them up.
 *
 * @param blocks in the order of the packing
 */
record Inputs(List<Block> blocks) {

  /** Where a column's values are in a request. */
  enum Kind {
    /** A string of the context. */
    CONTEXT_STRING,
    /** The keys of a list of the context. */
    CONTEXT_LIST,
    /** How many they are. */
    CONTEXT_LENGTH,
    /** A float of the context. */
    CONTEXT_NUMBER,
    /** A column of strings. */
    STRING,
    /** A column of floats. */
    NUMBER
  }

  /**
   * Some adjacent columns of a block, which one feature makes.
   *
   * @param name of the input in the graph that has an input for each
   * @param kind where its values are
   * @param index which of its kind
   * @param offset of its first column
   * @param width how many they are
   */
  record Column(String name, Kind kind, int index, int offset, int width) {}

  /**
   * An input.
   *
   * @param name in the graph
   * @param keys whether it holds int64, else float32
   * @param context whether it has one row, else one a candidate
   * @param width of a row
   * @param columns which make up a row
   */
  record Block(String name, boolean keys, boolean context, int width, List<Column> columns) {
    int rows(int n) {
      return context ? 1 : n;
    }

    /** Writes the keys of a request, column by column. */
    void pack(Request request, LongBuffer to) {
      for (Column column : columns) {
        int at = column.offset;
        switch (column.kind) {
          case CONTEXT_STRING -> to.put(at, Xxh3.key(request.contextStrings()[column.index]));
          case CONTEXT_LENGTH -> to.put(at, request.contextLists().get(column.index).size());
          case CONTEXT_LIST -> {
            List<String> list = request.contextLists().get(column.index);
            for (int i = 0; i < column.width; i++) {
              to.put(at + i, i < list.size() ? Xxh3.key(list.get(i)) : 0);
            }
          }
          case STRING -> {
            for (String text : request.strings()[column.index]) {
              to.put(at, Xxh3.key(text));
              at += width;
            }
          }
          case CONTEXT_NUMBER, NUMBER -> throw new IllegalStateException(column.name);
        }
      }
    }

    /** Writes the floats of a request, column by column. */
    void pack(Request request, FloatBuffer to) {
      for (Column column : columns) {
        int at = column.offset;
        if (column.kind == Kind.CONTEXT_NUMBER) {
          to.put(at, request.contextNumbers()[column.index]);
        } else {
          for (float number : request.numbers()[column.index]) {
            to.put(at, number);
            at += width;
          }
        }
      }
    }
  }

  static Inputs read(Path folder, Request.Names names) throws IOException {
    List<Block> blocks = new ArrayList<>();
    for (JsonNode each : new JsonMapper().readTree(folder.resolve("packing.json").toFile())) {
      List<Column> columns = new ArrayList<>();
      int width = 0;
      boolean context = each.get("placement").textValue().equals("context");
      for (JsonNode column : each.get("columns")) {
        columns.add(column(column, context, names));
        width += column.get("width").intValue();
      }
      blocks.add(
          new Block(
              each.get("name").textValue(),
              each.get("dtype").textValue().equals("int64"),
              context,
              width,
              List.copyOf(columns)));
    }
    return new Inputs(List.copyOf(blocks));
  }

  private static Column column(JsonNode column, boolean context, Request.Names names) {
    String feature = column.get("feature").textValue();
    Kind kind;
    int index;
    if (!context) {
      kind = names.strings().contains(feature) ? Kind.STRING : Kind.NUMBER;
      index = (kind == Kind.STRING ? names.strings() : names.numbers()).indexOf(feature);
    } else if (names.contextLists().contains(feature)) {
      boolean length = column.get("role").textValue().equals("length");
      kind = length ? Kind.CONTEXT_LENGTH : Kind.CONTEXT_LIST;
      index = names.contextLists().indexOf(feature);
    } else if (names.contextStrings().contains(feature)) {
      kind = Kind.CONTEXT_STRING;
      index = names.contextStrings().indexOf(feature);
    } else {
      kind = Kind.CONTEXT_NUMBER;
      index = names.contextNumbers().indexOf(feature);
    }
    return new Column(
        column.get("name").textValue(),
        kind,
        index,
        column.get("offset").intValue(),
        column.get("width").intValue());
  }
}
