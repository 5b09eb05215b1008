package dev.twinrank.probe;

import dev.twinrank.core.internal.proto.InvalidProto;
import dev.twinrank.probe.GraphException.Code;
import dev.twinrank.probe.Value.Named;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A folder {@code test_data_set_N} of ONNX's backend tests: one file an input. Static. */
final class DataSet {
  private DataSet() {}

  /**
   * Reads {@code input_0.pb}, {@code input_1.pb} and so on; the i-th is the graph's i-th input.
   * Those at the end may be missing, as optional inputs and initialisers may.
   *
   * @param types the graph's inputs in its order, each with its type
   * @throws GraphException {@code file_unreadable} or {@code invalid_value}
   */
  static List<Named> inputs(Path folder, Map<String, String> types) {
    if (!Files.isDirectory(folder)) {
      throw new GraphException(Code.FILE_UNREADABLE, folder + " is no folder");
    }
    List<Named> inputs = new ArrayList<>();
    for (Map.Entry<String, String> type : types.entrySet()) {
      Path file = file(folder, inputs.size());
      if (!Files.exists(file)) {
        break;
      }
      inputs.add(new Named(type.getKey(), read(file, type.getValue())));
    }
    if (Files.exists(file(folder, inputs.size())) && inputs.size() == types.size()) {
      throw new GraphException(
          Code.INVALID_VALUE,
          "%s is one input more than the %d of the graph"
              .formatted(file(folder, inputs.size()), types.size()));
    }
    return inputs;
  }

  private static Path file(Path folder, int index) {
    return folder.resolve("input_" + index + ".pb");
  }

  private static Value read(Path file, String type) {
    try {
      return ValueReader.read(ByteBuffer.wrap(PlainGraph.read(file)), type);
    } catch (InvalidProto e) {
      throw new GraphException(Code.INVALID_VALUE, file + ": " + e.getMessage(), e);
    } catch (GraphException e) {
      throw new GraphException(e.code(), file + ": " + e.getMessage(), e);
    }
  }
}
