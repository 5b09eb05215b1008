package dev.twinrank.core.internal.proto;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.proto.GraphRules.Signature;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A bounded walk over a ModelProto, before native code sees it: the phase <i>graph</i>.
 *
 * <p>Field numbers are those of onnx.proto. A field that may occur once is refused when it occurs
 * twice, because parsers would merge the two.
 */
public final class ModelWalk {
  private static final int MAX_NODES = 100_000;
  private static final int MAX_NESTING = 8;
  private static final int MAX_REPORTED = 20;
  private static final long EXTERNAL = 1;
  private static final String DATA_FILE = "model.onnx.data";
  private static final Set<String> EXTERNAL_KEYS = Set.of("location", "offset", "length");

  /** Where problems go. */
  public interface Report {
    /** Takes one problem of the graph. */
    void problem(ErrorCode code, String where, String detail);
  }

  private final GraphRules rules;
  private final Report report;
  private final Map<String, Long> imports = new LinkedHashMap<>();
  private int reported;
  private int nodes;

  private ModelWalk(GraphRules rules, Report report) {
    this.rules = rules;
    this.report = report;
  }

  /** Walks over a model and reports what the contract does not allow, at most twenty problems. */
  public static void check(byte[] model, GraphRules rules, Report report) {
    ModelWalk walk = new ModelWalk(rules, report);
    try {
      walk.model(ByteBuffer.wrap(model));
    } catch (InvalidProto e) {
      walk.invalid("", "is no ONNX model: " + e.getMessage());
    }
  }

  private void invalid(String where, String detail) {
    add(ErrorCode.GRAPH_INVALID, where, detail);
  }

  private void forbidden(String where, String detail) {
    add(ErrorCode.GRAPH_FORBIDDEN, where, detail);
  }

  private void add(ErrorCode code, String where, String detail) {
    if (reported++ < MAX_REPORTED) {
      report.problem(code, where, detail);
    }
  }

  private void model(ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("the model", bytes);
    long irVersion = 0;
    ByteBuffer graph = null;
    boolean importedTwice = false;
    boolean functions = false;
    while (in.next()) {
      switch (in.field()) {
        case 1 -> irVersion = in.once().varint();
        case 7 -> graph = in.once().bytes();
        case 8 -> importedTwice |= !operatorSet(in.bytes());
        case 20, 25 -> functions = true;
        default -> {}
      }
    }
    if (graph == null) {
      throw in.invalid("has no graph");
    }
    versions(irVersion, importedTwice);
    if (functions) {
      forbidden("", "has local functions or training graphs; export the model without them");
    }
    graph(graph, "", 0);
  }

  /** Reads one import; returns false if its domain was imported before. */
  private boolean operatorSet(ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("an operator set", bytes);
    String domain = "";
    long version = 0;
    while (in.next()) {
      switch (in.field()) {
        case 1 -> domain = in.once().string();
        case 2 -> version = in.once().varint();
        default -> {}
      }
    }
    return imports.put(domain, version) == null;
  }

  private void versions(long irVersion, boolean importedTwice) {
    Operators known = Operators.shipped();
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

  private void graph(ByteBuffer bytes, String where, int depth) {
    if (depth > MAX_NESTING) {
      invalid(where, "has subgraphs deeper than " + MAX_NESTING);
      return;
    }
    ProtoReader in = new ProtoReader("the graph", bytes);
    List<Signature> inputs = new ArrayList<>();
    List<Signature> outputs = new ArrayList<>();
    Set<String> initializers = new HashSet<>();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> {
          if (++nodes > MAX_NODES) {
            throw in.invalid("has more than " + MAX_NODES + " nodes");
          }
          node(in.bytes(), where, depth);
        }
        case 5 -> initializers.add(tensor(in.bytes(), where, depth == 0));
        case 11 -> inputs.add(signature(in.bytes()));
        case 12 -> outputs.add(signature(in.bytes()));
        case 15 -> forbidden(where, "has a sparse initialiser; export it as a dense one");
        default -> {}
      }
    }
    if (depth == 0) {
      signatures("inputs", rules.inputs(), inputs);
      signatures("outputs", rules.outputs(), outputs);
      for (Signature input : inputs) {
        if (initializers.contains(input.name())) {
          invalid(where, "has the input " + Quote.of(input.name()) + " as an initialiser too");
        }
      }
    }
  }

  private void node(ByteBuffer bytes, String where, int depth) {
    ProtoReader in = new ProtoReader("a node", bytes);
    String name = "";
    String operator = "";
    String domain = "";
    String overload = "";
    List<ByteBuffer> attributes = new ArrayList<>();
    while (in.next()) {
      switch (in.field()) {
        case 3 -> name = in.once().string();
        case 4 -> operator = in.once().string();
        case 5 -> attributes.add(in.bytes());
        case 7 -> domain = in.once().string();
        case 8 -> overload = in.once().string();
        default -> {}
      }
    }
    String here = where + "/" + (name.isEmpty() ? operator : name);
    if (!Operators.shipped().allows(domain, operator, imports.getOrDefault(domain, 0L))) {
      forbidden(
          here,
          "is of the operator "
              + Quote.of((domain.isEmpty() ? "ai.onnx" : domain) + ":" + operator)
              + ", which is not on the contract's list");
    }
    if (!overload.isEmpty()) {
      forbidden(here, "names an overload, which only a local function can have");
    }
    for (ByteBuffer attribute : attributes) {
      attribute(attribute, here, depth);
    }
  }

  private void attribute(ByteBuffer bytes, String where, int depth) {
    ProtoReader in = new ProtoReader("an attribute", bytes);
    while (in.next()) {
      switch (in.field()) {
        case 5 -> tensor(in.once().bytes(), where, false);
        case 6 -> graph(in.once().bytes(), where, depth + 1);
        case 10 -> tensor(in.bytes(), where, false);
        case 11 -> graph(in.bytes(), where, depth + 1);
        case 21 -> {
          if (!in.once().string().isEmpty()) {
            forbidden(where, "refers to the attribute of a function");
          }
        }
        case 22, 23 -> forbidden(where, "has a sparse tensor; export it as a dense one");
        default -> {}
      }
    }
  }

  /** Checks where a tensor keeps its values, and returns its name. */
  private String tensor(ByteBuffer bytes, String where, boolean mayBeExternal) {
    ProtoReader in = new ProtoReader("a tensor", bytes);
    String name = "";
    boolean external = false;
    boolean repeated = false;
    Map<String, String> entries = new LinkedHashMap<>();
    while (in.next()) {
      switch (in.field()) {
        case 8 -> name = in.once().string();
        case 13 -> {
          external = true;
          repeated |= !entry(in.bytes(), entries);
        }
        case 14 -> external |= in.once().varint() == EXTERNAL;
        default -> {}
      }
    }
    if (external) {
      external(where + "/" + name, entries, repeated, mayBeExternal);
    }
    return name;
  }

  private static boolean entry(ByteBuffer bytes, Map<String, String> entries) {
    ProtoReader in = new ProtoReader("an external data entry", bytes);
    String key = "";
    String value = "";
    while (in.next()) {
      switch (in.field()) {
        case 1 -> key = in.once().string();
        case 2 -> value = in.once().string();
        default -> {}
      }
    }
    return entries.put(key, value) == null;
  }

  private void external(
      String where, Map<String, String> entries, boolean repeated, boolean mayBeExternal) {
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
    long end = Long.parseLong(offset) + Long.parseLong(length);
    if (end > rules.externalBytes().getAsLong()) {
      invalid(
          where,
          "ends at "
              + end
              + ", "
              + DATA_FILE
              + " has "
              + rules.externalBytes().getAsLong()
              + " bytes");
    }
  }

  private void signatures(String what, List<Signature> expected, List<Signature> given) {
    if (given.equals(expected)) {
      return;
    }
    for (int i = 0; i < Math.max(given.size(), expected.size()); i++) {
      Object is = i < given.size() ? given.get(i) : "none";
      Object should = i < expected.size() ? expected.get(i) : "none";
      if (!is.equals(should)) {
        invalid(
            "", "differs from the manifest in its " + what + ": " + is + " instead of " + should);
      }
    }
  }

  private static Signature signature(ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("an input or output", bytes);
    String name = "";
    ByteBuffer type = ByteBuffer.allocate(0);
    while (in.next()) {
      switch (in.field()) {
        case 1 -> name = in.once().string();
        case 2 -> type = in.once().bytes();
        default -> {}
      }
    }
    ProtoReader kinds = new ProtoReader("a type", type);
    while (kinds.next()) {
      if (kinds.field() == 1) {
        return tensorType(name, kinds.bytes());
      }
    }
    return new Signature(name, 0, List.of());
  }

  private static Signature tensorType(String name, ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("a tensor's type", bytes);
    long type = 0;
    List<Long> shape = new ArrayList<>();
    while (in.next()) {
      switch (in.field()) {
        case 1 -> type = in.once().varint();
        case 2 -> {
          ProtoReader dims = new ProtoReader("a shape", in.once().bytes());
          while (dims.next()) {
            if (dims.field() == 1) {
              shape.add(dimension(dims.bytes()));
            }
          }
        }
        default -> {}
      }
    }
    return new Signature(name, type, List.copyOf(shape));
  }

  private static long dimension(ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("a dimension", bytes);
    long size = -1;
    while (in.next()) {
      if (in.field() == 1) {
        size = in.once().varint();
      }
    }
    return size;
  }
}
