package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.proto.InvalidProto;
import dev.twinrank.core.internal.proto.ProtoReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the engine needs of a model's graph: nodes with their attributes, and initialisers. Read
 * from bytes that {@link dev.twinrank.core.internal.proto.ModelWalk} has found sound, whose own
 * reading keeps no numbers.
 *
 * @param nodes in the order of the model
 * @param initialisers by name; one whose values are in another file has none
 */
record Graph(List<Node> nodes, Map<String, Values> initialisers) {
  private static final int MODEL_GRAPH = 7;
  private static final int GRAPH_NODE = 1;
  private static final int GRAPH_INITIALIZER = 5;
  private static final int NODE_INPUT = 1;
  private static final int NODE_OUTPUT = 2;
  private static final int NODE_NAME = 3;
  private static final int NODE_OPERATOR = 4;
  private static final int NODE_ATTRIBUTE = 5;
  private static final int NODE_DOMAIN = 7;
  private static final int ATTRIBUTE_NAME = 1;
  private static final int ATTRIBUTE_INT = 3;
  private static final int ATTRIBUTE_TENSOR = 5;
  private static final int ATTRIBUTE_INTS = 8;
  private static final String TABLES = "ai.onnx.ml";

  /** The operator that this engine is for. */
  static final String ENSEMBLE = "TreeEnsemble";

  private static final Set<String> TREES =
      Set.of(ENSEMBLE, "TreeEnsembleRegressor", "TreeEnsembleClassifier");

  /**
   * One node.
   *
   * @param domain empty for ONNX's own
   * @param attributes by name
   */
  record Node(
      String domain,
      String operator,
      String name,
      List<String> inputs,
      List<String> outputs,
      Map<String, Attribute> attributes) {

    boolean isOf(String wantedDomain, String wantedOperator) {
      return domain.equals(wantedDomain) && operator.equals(wantedOperator);
    }

    /** Returns the name of an input, or nothing where it is left out. */
    String input(int index) {
      return index < inputs.size() ? inputs.get(index) : "";
    }

    /**
     * Makes sure that a node says nothing that is not understood.
     *
     * @throws UnknownGraph if it has an attribute of another name
     */
    void allow(Set<String> names) throws UnknownGraph {
      for (String each : attributes.keySet()) {
        if (!names.contains(each)) {
          throw UnknownGraph.at(this, "has the attribute '" + each + "'");
        }
      }
    }

    /** Returns an integer attribute. */
    long integer(String attribute, long otherwise) throws UnknownGraph {
      Attribute found = attributes.get(attribute);
      if (found == null) {
        return otherwise;
      }
      if (found.integers() == null || found.integers().length != 1 || found.repeated()) {
        throw UnknownGraph.at(this, "has no integer in " + attribute);
      }
      return found.integers()[0];
    }

    /** Returns the integers of an attribute; null if it is not there. */
    long[] integers(String attribute) throws UnknownGraph {
      Attribute found = attributes.get(attribute);
      if (found == null) {
        return null;
      }
      if (found.integers() == null || !found.repeated()) {
        throw UnknownGraph.at(this, "has no integers in " + attribute);
      }
      return found.integers();
    }

    /** Returns the tensor of an attribute; null if it is not there. */
    Values tensor(String attribute) throws UnknownGraph {
      Attribute found = attributes.get(attribute);
      if (found == null) {
        return null;
      }
      if (found.tensor() == null) {
        throw UnknownGraph.at(this, "has no tensor in " + attribute);
      }
      return found.tensor();
    }
  }

  /**
   * One attribute: the member that it holds is not null.
   *
   * @param repeated whether it is a list
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared, never changed
  record Attribute(long[] integers, Values tensor, boolean repeated) {}

  /**
   * Reads a model.
   *
   * @throws UnknownGraph if the bytes are no model
   */
  static Graph read(byte[] model) throws UnknownGraph {
    try {
      return graph(graph(model));
    } catch (InvalidProto e) {
      throw new UnknownGraph("the model cannot be read: " + e.getMessage());
    }
  }

  /**
   * Returns whether an operator of trees is among a model's nodes, those of subgraphs aside.
   *
   * @throws UnknownGraph if the bytes are no model
   */
  static boolean hasTrees(byte[] model) throws UnknownGraph {
    try {
      ProtoReader in = graph(model);
      while (in.next()) {
        if (in.field() == GRAPH_NODE && isOfTrees(in.bytes())) {
          return true;
        }
      }
      return false;
    } catch (InvalidProto e) {
      throw new UnknownGraph("the model cannot be read: " + e.getMessage());
    }
  }

  private static boolean isOfTrees(ByteBuffer bytes) {
    ProtoReader in = new ProtoReader("NodeProto", bytes);
    String operator = "";
    String domain = "";
    while (in.next()) {
      if (in.field() == NODE_OPERATOR) {
        operator = in.string();
      } else if (in.field() == NODE_DOMAIN) {
        domain = in.string();
      }
    }
    return domain.equals(TABLES) && TREES.contains(operator);
  }

  private static ProtoReader graph(byte[] model) throws UnknownGraph {
    ProtoReader in = new ProtoReader("ModelProto", ByteBuffer.wrap(model));
    while (in.next()) {
      if (in.field() == MODEL_GRAPH) {
        return new ProtoReader("GraphProto", in.bytes());
      }
    }
    throw new UnknownGraph("the model has no graph");
  }

  private static Graph graph(ProtoReader in) {
    List<Node> nodes = new ArrayList<>();
    Map<String, Values> initialisers = new HashMap<>();
    while (in.next()) {
      switch (in.field()) {
        case GRAPH_NODE -> nodes.add(node(in.bytes(), nodes.size()));
        case GRAPH_INITIALIZER -> {
          Values values = Values.read(in.bytes());
          initialisers.put(values.name(), values);
        }
        default -> {
          // Inputs and outputs are the manifest's; the rest is for people.
        }
      }
    }
    return new Graph(nodes, initialisers);
  }

  private static Node node(ByteBuffer bytes, int index) {
    ProtoReader in = new ProtoReader("NodeProto", bytes);
    List<String> inputs = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    Map<String, Attribute> attributes = new HashMap<>();
    String name = "";
    String operator = "";
    String domain = "";
    while (in.next()) {
      switch (in.field()) {
        case NODE_INPUT -> inputs.add(in.string());
        case NODE_OUTPUT -> outputs.add(in.string());
        case NODE_NAME -> name = in.string();
        case NODE_OPERATOR -> operator = in.string();
        case NODE_DOMAIN -> domain = in.string();
        case NODE_ATTRIBUTE -> attribute(in.bytes(), attributes);
        default -> {
          // Documentation.
        }
      }
    }
    return new Node(
        domain, operator, name.isEmpty() ? "#" + index : name, inputs, outputs, attributes);
  }

  private static void attribute(ByteBuffer bytes, Map<String, Attribute> attributes) {
    ProtoReader in = new ProtoReader("AttributeProto", bytes);
    String name = "";
    Longs integers = new Longs();
    boolean repeated = false;
    boolean number = false;
    Values tensor = null;
    while (in.next()) {
      switch (in.field()) {
        case ATTRIBUTE_NAME -> name = in.string();
        case ATTRIBUTE_INT -> {
          integers.add(in.varint());
          number = true;
        }
        case ATTRIBUTE_INTS -> {
          integers.addAll(in);
          repeated = true;
        }
        case ATTRIBUTE_TENSOR -> tensor = Values.read(in.bytes());
        default -> {
          // The type follows from the field; floats, texts and graphs are of no operator here.
        }
      }
    }
    long[] all = number || repeated ? integers.toArray() : null;
    attributes.put(name, new Attribute(all, tensor, repeated));
  }
}
