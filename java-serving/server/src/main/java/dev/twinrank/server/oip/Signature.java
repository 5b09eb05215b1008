package dev.twinrank.server.oip;

import dev.twinrank.core.Feature;
import dev.twinrank.core.Handle;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import dev.twinrank.core.Schema;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The inputs and outputs that a model has for this protocol; a function of its schema and heads.
 * Immutable and thread-safe.
 *
 * <p>Each feature is an input of its name. A candidate's list has its values one after another, and
 * an input {@code <feature>.lengths} beside it. A candidate's feature that may be missing has an
 * input {@code <feature>.present}. Names of features have no dots, so that these are no features.
 */
final class Signature {
  static final String LENGTHS = ".lengths";
  static final String PRESENT = ".present";

  static final String SCORE = "score";
  static final String RANKING = "ranking";
  static final String DROPPED = "dropped";

  /** What an input holds of its feature. */
  enum Role {
    VALUE,
    LENGTHS,
    PRESENT
  }

  /**
   * An input.
   *
   * @param feature the place of its feature in the schema
   * @param role what it holds
   */
  record Input(int feature, Role role) {}

  private final Schema schema;
  private final List<Handle> handles = new ArrayList<>();
  private final Map<String, Input> inputs = new LinkedHashMap<>();
  private final List<TensorCard> inputCards = new ArrayList<>();
  private final Map<String, Output> outputs = new LinkedHashMap<>();
  private final List<TensorCard> outputCards = new ArrayList<>();

  Signature(Model model) {
    schema = model.schema();
    for (int i = 0; i < schema.features().size(); i++) {
      handles.add(handle(schema, schema.features().get(i)));
      add(i, schema.features().get(i));
    }
    List<Head> heads = model.heads();
    for (int i = 0; i < heads.size(); i++) {
      add(heads.get(i), Output.head(i));
    }
    add(model.score(), Output.score());
    // A head of such a name keeps it.
    Set<String> taken = new HashSet<>(outputs.keySet());
    for (Output extra : List.of(Output.ranking(), Output.dropped())) {
      if (!taken.contains(extra.label())) {
        outputs.put(extra.label(), extra);
        outputCards.add(new TensorCard(extra.label(), Datatype.INT32, List.of(-1L), false));
      }
    }
  }

  private void add(int index, Feature feature) {
    boolean candidate = feature.placement() == Placement.CANDIDATE;
    boolean optional = feature.missing() != Policy.ERROR;
    Datatype datatype = Datatype.of(feature.dtype());
    List<Long> shape = new ArrayList<>();
    if (feature.vector().isPresent()) {
      if (candidate) {
        shape.add(-1L);
      }
      shape.add((long) feature.vector().get().length());
    } else {
      shape.add(candidate || feature.list().isPresent() ? -1L : 1L);
    }
    inputs.put(feature.name(), new Input(index, Role.VALUE));
    inputCards.add(new TensorCard(feature.name(), datatype, shape, optional));
    if (candidate && feature.list().isPresent()) {
      add(index, feature.name() + LENGTHS, Role.LENGTHS, Datatype.INT32);
    }
    if (candidate && optional) {
      add(index, feature.name() + PRESENT, Role.PRESENT, Datatype.BOOL);
    }
  }

  private void add(int index, String name, Role role, Datatype datatype) {
    inputs.put(name, new Input(index, role));
    inputCards.add(new TensorCard(name, datatype, List.of(-1L), true));
  }

  private void add(Head head, Output output) {
    outputs.put(head.name(), output);
    outputCards.add(new TensorCard(head.name(), Datatype.of(head.dtype()), List.of(-1L), false));
  }

  private static Handle handle(Schema schema, Feature feature) {
    boolean sequence = feature.list().isPresent() || feature.vector().isPresent();
    String name = feature.name();
    return switch (feature.dtype()) {
      case INT64, TIMESTAMP -> sequence ? schema.integers(name) : schema.integer(name);
      case FLOAT32, FLOAT64 -> sequence ? schema.numbers(name) : schema.number(name);
      case BOOL -> sequence ? schema.bools(name) : schema.bool(name);
      case STRING -> sequence ? schema.strings(name) : schema.string(name);
    };
  }

  /** Returns the handle of a feature, by its place in the schema. */
  Handle handle(int feature) {
    return handles.get(feature);
  }

  Schema schema() {
    return schema;
  }

  /** Returns the inputs by name, in the schema's order. */
  Map<String, Input> inputs() {
    return inputs;
  }

  /** Returns what is said of each input. */
  List<TensorCard> inputCards() {
    return List.copyOf(inputCards);
  }

  /** Returns the outputs by name: the heads, the score, and what is made of it. */
  Map<String, Output> outputs() {
    return outputs;
  }

  /** Returns what is said of each output. */
  List<TensorCard> outputCards() {
    return List.copyOf(outputCards);
  }
}
