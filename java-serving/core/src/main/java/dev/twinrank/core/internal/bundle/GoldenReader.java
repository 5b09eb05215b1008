package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.DType;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonTree;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.proto.InvalidProto;
import dev.twinrank.core.internal.proto.Tensor;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Reads the golden files strictly; section 8 of the contract. */
final class GoldenReader {
  private static final Set<String> SCORED =
      Set.of("golden", "n", "data_set", "heads", "score", "order", "dropped");
  private static final Set<String> REFUSED = Set.of("golden", "error");

  private final Manifest manifest;
  private final BundleFiles files;
  private final Findings found;
  private final Set<Integer> usedDataSets = new HashSet<>();

  private GoldenReader(Path root, Manifest manifest, BundleFiles files) {
    this.manifest = manifest;
    this.files = files;
    this.found = new Findings(root);
  }

  /** Returns every golden of a bundle, in order. */
  static List<Golden> read(Path root, Manifest manifest, BundleFiles files) {
    return new GoldenReader(root, manifest, files).read();
  }

  private List<Golden> read() {
    List<byte[]> requests = lines(Paths.REQUESTS);
    List<byte[]> rankings = lines(Paths.RANKINGS);
    found.stop();
    List<Golden> goldens = new ArrayList<>();
    for (int i = 0; i < requests.size(); i++) {
      try {
        goldens.add(golden(i, requests.get(i), rankings.get(i)));
      } catch (Contradiction | InvalidJson | InvalidProto e) {
        found.add(ErrorCode.GOLDENS_INVALID, Paths.RANKINGS + ":" + (i + 1), e.getMessage());
      }
    }
    if (found.isEmpty() && usedDataSets.size() != manifest.dataSets()) {
      Set<Integer> unused = new TreeSet<>();
      for (int i = 0; i < manifest.dataSets(); i++) {
        unused.add(i);
      }
      unused.removeAll(usedDataSets);
      found.add(ErrorCode.GOLDENS_INVALID, Paths.RANKINGS, "uses none of the data sets " + unused);
    }
    found.stop();
    return goldens;
  }

  private List<byte[]> lines(String path) {
    byte[] bytes = files.content(path);
    List<byte[]> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        lines.add(Arrays.copyOfRange(bytes, start, i));
        start = i + 1;
      }
    }
    if (start != bytes.length) {
      found.add(ErrorCode.GOLDENS_INVALID, path, "does not end with LF");
    } else if (lines.size() != manifest.goldens()) {
      found.add(
          ErrorCode.GOLDENS_INVALID,
          path,
          "has " + lines.size() + " lines, the manifest says " + manifest.goldens() + " goldens");
    }
    return lines;
  }

  private Golden golden(int index, byte[] request, byte[] line) {
    if (!(Json.read(line) instanceof Map<?, ?> object)) {
      throw new Contradiction("is no object");
    }
    Map<String, Object> fields = Json.object(Fields.withoutExtensions(object));
    if (!fields.keySet().equals(SCORED) && !fields.keySet().equals(REFUSED)) {
      throw new Contradiction(
          "has the fields "
              + fields.keySet()
              + "; expected "
              + new TreeSet<>(SCORED)
              + " or "
              + REFUSED);
    }
    if (GoldenFields.integer(fields.get("golden"), "golden", manifest.goldens() - 1) != index) {
      throw new Contradiction(
          "is line " + (index + 1) + " and says golden " + fields.get("golden"));
    }
    if (fields.containsKey("error")) {
      return Golden.refused(request, scoringCode(fields.get("error")));
    }
    int n = GoldenFields.integer(fields.get("n"), "n", manifest.maxCandidates());
    List<Integer> order = GoldenFields.indices(fields.get("order"), "order", n);
    List<Integer> dropped = GoldenFields.indices(fields.get("dropped"), "dropped", n);
    if (n == 0) {
      if (fields.get("data_set") != JsonTree.NULL
          || !fields.get("heads").equals(Map.of())
          || !fields.get("score").equals(List.of())) {
        throw new Contradiction("has no candidates, but a data set, heads or scores");
      }
      return Golden.empty(request);
    }
    int dataSet = GoldenFields.integer(fields.get("data_set"), "data_set", manifest.dataSets() - 1);
    if (!usedDataSets.add(dataSet)) {
      throw new Contradiction("uses data set " + dataSet + ", which another golden uses");
    }
    List<ByteBuffer> inputs = new ArrayList<>();
    List<Block> blocks = manifest.plan().packing().blocks();
    for (int i = 0; i < blocks.size(); i++) {
      Block block = blocks.get(i);
      long rows = block.declaredShape()[0] < 0 ? n : 1;
      inputs.add(tensor(Paths.input(dataSet, i), block.dtype(), block.shape(rows)));
    }
    return new Golden(
        request, null, n, inputs, new Expectation(outputs(fields, n, dataSet), order, dropped));
  }

  private List<List<ByteBuffer>> outputs(Map<String, Object> fields, int n, int dataSet) {
    List<ByteBuffer> hex = GoldenFields.outputs(fields, manifest, n);
    List<List<ByteBuffer>> outputs = new ArrayList<>();
    for (int i = 0; i < hex.size(); i++) {
      DType dtype = manifest.outputs().get(i).dtype();
      outputs.add(List.of(hex.get(i), tensor(Paths.output(dataSet, i), dtype, new long[] {n})));
    }
    return outputs;
  }

  private ByteBuffer tensor(String path, DType dtype, long[] shape) {
    Tensor tensor;
    try {
      tensor = Tensor.read(files.content(path));
    } catch (InvalidProto e) {
      throw new Contradiction(path + ": " + e.getMessage());
    }
    List<Long> expected = Arrays.stream(shape).boxed().toList();
    if (tensor.dtype() != dtype || !tensor.shape().equals(expected)) {
      throw new Contradiction(
          path
              + " holds "
              + tensor.dtype().label()
              + tensor.shape()
              + "; expected "
              + dtype.label()
              + expected);
    }
    return tensor.data();
  }

  private static ErrorCode scoringCode(Object value) {
    for (ErrorCode code : ErrorCode.values()) {
      if (code.family() == ErrorCode.Family.SCORING && code.code().equals(value)) {
        return code;
      }
    }
    throw new Contradiction("expects the error " + Fields.show(value) + ", no code of a request");
  }
}
