package dev.twinrank.core.internal.proto;

import dev.twinrank.core.DType;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.proto.GraphRules.Signature;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A bounded walk over a ModelProto, before native code sees it: the phase <i>graph</i>.
 *
 * <p>Decisions are those of the Python reader's {@code _graph.py}; tests/contract/hostile/README.md
 * lists them.
 */
public final class ModelWalk {
  private static final int MAX_NODES = 100_000;
  private static final int MAX_NESTING = 8;
  private static final int MAX_REPORTED = 20;
  private static final long EXTERNAL = 1;
  private static final String DATA_FILE = "model.onnx.data";
  private static final String TABLES = "ai.onnx.ml";
  private static final Set<String> EXTERNAL_KEYS = Set.of("location", "offset", "length");

  /** Where a TensorProto can hold its values; two at once leave open which one counts. */
  private static final List<String> INLINE =
      List.of(
          "raw_data",
          "float_data",
          "int32_data",
          "string_data",
          "int64_data",
          "double_data",
          "uint64_data");

  /** Where problems go. */
  public interface Report {
    /** Takes one problem of the graph. */
    void problem(ErrorCode code, String where, String detail);
  }

  private final GraphRules rules;
  private final Report report;
  private final Map<String, Long> imports = new LinkedHashMap<>();
  private final Map<ErrorCode, Integer> reported = new EnumMap<>(ErrorCode.class);
  private int nodes;
  private long elements;
  private long largestExternal;

  private ModelWalk(GraphRules rules, Report report) {
    this.rules = rules;
    this.report = report;
  }

  /**
   * Walks over a model and reports what the contract does not allow, at most twenty problems of
   * each code.
   *
   * @return what decides how much memory the model takes; of a model without problems
   */
  public static Footprint check(byte[] model, GraphRules rules, Report report) {
    ModelWalk walk = new ModelWalk(rules, report);
    try {
      walk.model(Message.read("ModelProto", ByteBuffer.wrap(model)));
    } catch (InvalidProto e) {
      walk.invalid("", "is no ONNX model: " + e.getMessage());
    }
    return new Footprint(
        model.length,
        rules.externalBytes().orElse(0),
        walk.largestExternal,
        walk.nodes,
        walk.elements);
  }

  /**
   * Returns what the outputs of a model that ships with the core are.
   *
   * @throws InvalidProto if it is no ONNX model
   */
  public static List<TensorSpec> outputs(byte[] model) {
    ModelWalk walk = new ModelWalk(null, (code, where, detail) -> {});
    Message graph = Message.read("ModelProto", ByteBuffer.wrap(model)).message("graph");
    List<TensorSpec> outputs = new ArrayList<>();
    for (Message value : graph.messages("output")) {
      Signature signature = walk.signature(value);
      outputs.add(
          new TensorSpec(signature.name(), OnnxTypes.dtype(signature.type()), signature.shape()));
    }
    return outputs;
  }

  private void invalid(String where, String detail) {
    add(ErrorCode.GRAPH_INVALID, where, detail);
  }

  private void forbidden(String where, String detail) {
    add(ErrorCode.GRAPH_FORBIDDEN, where, detail);
  }

  private void add(ErrorCode code, String where, String detail) {
    if (reported.merge(code, 1, Integer::sum) <= MAX_REPORTED) {
      report.problem(code, where, detail);
    }
  }

  private void model(Message model) {
    if (!model.has("graph")) {
      invalid("", "is no ONNX model: it has no graph");
      return;
    }
    versions(model);
    if (model.has("functions") || model.has("training_info")) {
      forbidden("", "has local functions or training graphs; export the model without them");
    }
    Message graph = model.message("graph");
    graph(graph, "", 0);
    signatures("input", rules.inputs(), graph);
    signatures("output", rules.outputs(), graph);
  }

  private void versions(Message model) {
    Operators known = Operators.shipped();
    long irVersion = model.number("ir_version", 0);
    boolean importedTwice = false;
    for (Message entry : model.messages("opset_import")) {
      importedTwice |= imports.put(entry.text("domain"), entry.number("version", 0)) != null;
    }
    if (irVersion != rules.irVersion()) {
      invalid("", "has IR version " + irVersion + ", the manifest says " + rules.irVersion());
    }
    if (importedTwice || !imports.equals(rules.opsets())) {
      invalid(
          "",
          "imports "
              + imports
              + (importedTwice ? " with a domain twice" : "")
              + ", the manifest says "
              + rules.opsets());
    }
    if (!known.allowsIrVersion(irVersion)) {
      forbidden("", "has IR version " + irVersion + "; allowed are " + known.irVersions());
    }
    imports.forEach(
        (domain, version) -> {
          if (!known.allowsImport(domain, version)) {
            forbidden(
                "",
                "imports " + Quote.of(domain) + " " + version + "; allowed are " + known.opsets());
          }
        });
  }

  private void graph(Message graph, String where, int depth) {
    if (depth > MAX_NESTING) {
      invalid(where, "has subgraphs deeper than " + MAX_NESTING);
      return;
    }
    List<Message> children = graph.messages("node");
    nodes += children.size();
    if (nodes > MAX_NODES) {
      invalid(where, "has more than " + MAX_NODES + " nodes");
      return;
    }
    if (graph.has("sparse_initializer")) {
      forbidden(where, "has a sparse initialiser; export it as a dense one");
    }
    names(graph, where);
    for (Message tensor : graph.messages("initializer")) {
      tensor(tensor, where + "/" + tensor.text("name"), depth == 0);
    }
    for (Message node : children) {
      node(node, where, depth);
    }
  }

  /** Every tensor of a graph is made in one place: two would leave open which one counts. */
  private void names(Message graph, String where) {
    List<String> names = new ArrayList<>();
    graph.messages("input").forEach(value -> names.add(value.text("name")));
    graph.messages("initializer").forEach(tensor -> names.add(tensor.text("name")));
    for (Message node : graph.messages("node")) {
      node.texts("output").stream().filter(name -> !name.isEmpty()).forEach(names::add);
    }
    Set<String> made = new HashSet<>();
    for (String name : names) {
      if (!made.add(name)) {
        invalid(
            where,
            "makes "
                + Quote.of(name)
                + " more than once, as an input, an initialiser or a node's output");
      }
    }
  }

  private void node(Message node, String where, int depth) {
    String operator = node.text("op_type");
    String domain = node.text("domain");
    String name = node.text("name");
    String here = where + "/" + (name.isEmpty() ? operator : name);
    if (!Operators.shipped().allows(domain, operator, imports.getOrDefault(domain, 0L))) {
      forbidden(
          here,
          "is of the operator "
              + Quote.of((domain.isEmpty() ? "ai.onnx" : domain) + ":" + operator)
              + ", which is not on the contract's list");
    }
    if (!node.text("overload").isEmpty()) {
      forbidden(here, "names an overload, which only a local function can have");
    }
    Set<String> names = new HashSet<>();
    for (Message attribute : node.messages("attribute")) {
      if (!names.add(attribute.text("name"))) {
        invalid(here, "has the attribute " + Quote.of(attribute.text("name")) + " twice");
      }
      attribute(attribute, here, depth);
      if (domain.equals(TABLES)) {
        elements += elements(attribute);
      }
    }
  }

  private void attribute(Message attribute, String where, int depth) {
    if (!attribute.text("ref_attr_name").isEmpty()) {
      forbidden(where, "refers to the attribute of a function");
    }
    if (attribute.has("sparse_tensor") || attribute.has("sparse_tensors")) {
      forbidden(where, "has a sparse tensor; export it as a dense one");
    }
    for (String field : List.of("t", "tensors")) {
      attribute.messages(field).forEach(tensor -> tensor(tensor, where, false));
    }
    for (String field : List.of("g", "graphs")) {
      attribute.messages(field).forEach(graph -> graph(graph, where, depth + 1));
    }
  }

  // The operators of ai.onnx.ml build tables from their attributes; those of others keep bytes.
  private static long elements(Message attribute) {
    long count = 0;
    for (String field : List.of("ints", "floats", "strings")) {
      count += attribute.count(field);
    }
    for (String field : List.of("t", "tensors")) {
      for (Message tensor : attribute.messages(field)) {
        for (String place : INLINE) {
          count += tensor.count(place);
        }
        DType dtype = OnnxTypes.dtype(tensor.number("data_type", 0));
        count += tensor.bytes("raw_data") / (dtype == null ? 1 : dtype.width());
      }
    }
    return count;
  }

  /** Checks where a tensor keeps its values. */
  private void tensor(Message tensor, String where, boolean mayBeExternal) {
    boolean external = tensor.number("data_location", 0) == EXTERNAL || tensor.has("external_data");
    long places = INLINE.stream().filter(tensor::holds).count() + (external ? 1 : 0);
    if (places > 1) {
      invalid(where, "holds values in " + places + " fields at once");
    }
    if (tensor.has("segment")) {
      forbidden(where, "is a segment of a tensor; export it whole");
    }
    if (external) {
      external(tensor, where, mayBeExternal);
    }
  }

  private void external(Message tensor, String where, boolean mayBeExternal) {
    Map<String, String> entries = new LinkedHashMap<>();
    boolean repeated = false;
    for (Message entry : tensor.messages("external_data")) {
      repeated |= entries.put(entry.text("key"), entry.text("value")) != null;
    }
    String location = entries.getOrDefault("location", "");
    if (!mayBeExternal || !location.equals(DATA_FILE) || rules.externalBytes().isEmpty()) {
      forbidden(
          where,
          "keeps its values in "
              + Quote.of(location)
              + "; only initialisers may, in "
              + DATA_FILE
              + " as the manifest lists it");
      return;
    }
    String offset = entries.getOrDefault("offset", "0");
    String length = entries.getOrDefault("length", "0");
    if (repeated
        || !EXTERNAL_KEYS.containsAll(entries.keySet())
        || !offset.matches("[0-9]{1,18}")
        || !length.matches("[0-9]{1,18}")) {
      forbidden(where, "describes its values by more or other than " + EXTERNAL_KEYS);
      return;
    }
    long all = rules.externalBytes().getAsLong();
    largestExternal =
        Math.max(largestExternal, entries.containsKey("length") ? Long.parseLong(length) : all);
    long end = Long.parseLong(offset) + Long.parseLong(length);
    if (end > all) {
      invalid(where, "ends at " + end + ", " + DATA_FILE + " has " + all + " bytes");
    }
  }

  private void signatures(String what, List<Signature> expected, Message graph) {
    List<Message> given = graph.messages(what);
    for (int i = 0; i < Math.max(given.size(), expected.size()); i++) {
      Object is = i < given.size() ? signature(given.get(i)) : "none";
      Object should = i < expected.size() ? expected.get(i) : "none";
      if (!is.equals(should)) {
        invalid(
            "", "differs from the manifest in its " + what + "s: " + is + " instead of " + should);
      }
    }
  }

  private Signature signature(Message value) {
    String name = value.text("name");
    if (!value.message("type").has("tensor_type")) {
      return new Signature(name, 0, List.of());
    }
    Message tensor = value.message("type").message("tensor_type");
    List<Long> shape = new ArrayList<>();
    for (Message dim : tensor.message("shape").messages("dim")) {
      long size = dim.number("dim_value", -1);
      if (dim.has("dim_value") && size < 0) {
        invalid(
            "",
            "has a dimension of size "
                + size
                + " in "
                + Quote.of(name)
                + "; one that varies has no size");
      }
      shape.add(size);
    }
    return new Signature(name, tensor.number("elem_type", 0), List.copyOf(shape));
  }
}
