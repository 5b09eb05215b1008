package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.DType;
import dev.twinrank.core.Feature;
import dev.twinrank.core.ListSpec;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import dev.twinrank.core.Schema;
import dev.twinrank.core.VectorSpec;
import dev.twinrank.core.internal.bundle.Fields.Report;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import dev.twinrank.core.internal.pack.Names;
import dev.twinrank.core.internal.pack.Values;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** From the manifest's schema, whose fields are right, to the typed one: what no field can say. */
final class SchemaReader {
  private static final Set<DType> VECTORS = EnumSet.of(DType.FLOAT32, DType.FLOAT64, DType.INT64);
  private static final String NO_VALUE = "goes with the policy 'default' and with no other";

  private final Report report;
  private final List<Feature> features = new ArrayList<>();
  private boolean sound = true;

  private SchemaReader(Report report) {
    this.report = report;
  }

  /** Returns the schema, or nothing after having reported why. */
  static Optional<Schema> read(Map<String, Object> schema, Report report) {
    SchemaReader reader = new SchemaReader(report);
    for (Object feature : Json.array(schema, "features")) {
      reader.feature(Json.object(feature), "/schema/features/" + reader.features.size());
    }
    reader.relations();
    return reader.sound ? Optional.of(Schema.of(reader.features)) : Optional.empty();
  }

  private void problem(String at, String detail) {
    sound = false;
    report.problem(at, detail);
  }

  private void feature(Map<String, Object> given, String at) {
    Optional<ListSpec> list =
        given.containsKey("list")
            ? Optional.of(
                new ListSpec(
                    (int) Json.integer(Json.object(given, "list"), "max_length"),
                    labelled(
                        ListSpec.Keep.values(), Json.text(Json.object(given, "list"), "keep"))))
            : Optional.empty();
    Optional<VectorSpec> vector =
        given.containsKey("vector")
            ? Optional.of(
                new VectorSpec((int) Json.integer(Json.object(given, "vector"), "length")))
            : Optional.empty();
    Feature feature =
        new Feature(
            Json.text(given, "name"),
            labelled(Placement.values(), Json.text(given, "placement")),
            labelled(DType.values(), Json.text(given, "dtype")),
            list,
            vector,
            Optional.ofNullable(Json.text(given, "group")),
            given.containsKey("nonfinite") && Json.bool(given, "nonfinite"),
            labelled(Policy.values(), Json.text(Json.object(given, "missing"), "policy")),
            labelled(Policy.values(), Json.text(Json.object(given, "invalid"), "policy")),
            given.containsKey("unseen")
                ? labelled(Policy.values(), Json.text(Json.object(given, "unseen"), "policy"))
                : Policy.OWN_ROW);
    features.add(feature);
    if (feature.nonfinite() && feature.dtype().block() == DType.INT64) {
      problem(
          at + "/nonfinite",
          "is true for " + feature.dtype().label() + "; only float dtypes have such values");
    }
    if (feature.group().isPresent() && list.isEmpty()) {
      problem(at + "/group", "is given, but the feature is no list; groups align lists");
    }
    if (feature.group().map(Names.SUFFIXES::contains).orElse(false)) {
      problem(at + "/group", "is the last part of blocks' names; take another name");
    }
    if (vector.isPresent() && !VECTORS.contains(feature.dtype())) {
      problem(at + "/vector", "is given for " + feature.dtype().label() + "; allowed: " + VECTORS);
    }
    if (vector.isPresent() && list.isPresent()) {
      problem(at + "/vector", "is given together with list; a feature is one of the two");
    }
    policy(feature, feature.missing(), Json.object(given, "missing"), at + "/missing");
    policy(feature, feature.invalid(), Json.object(given, "invalid"), at + "/invalid");
    if (given.containsKey("unseen")) {
      unseen(feature, Json.object(given, "unseen"), at + "/unseen");
    }
  }

  private void unseen(Feature feature, Map<String, Object> given, String at) {
    Object value = given.get("value");
    boolean hasVocabulary = feature.dtype() == DType.STRING || feature.dtype() == DType.INT64;
    if ((feature.unseen() == Policy.DEFAULT) != (value != null)) {
      problem(at + "/value", NO_VALUE);
    } else if (feature.unseen() != Policy.OWN_ROW && !hasVocabulary) {
      problem(
          at + "/policy",
          "is "
              + feature.unseen().label()
              + " for "
              + feature.dtype().label()
              + "; only string and int64 are looked up in a vocabulary");
    } else if (value != null) {
      element(feature, value, at + "/value");
    }
  }

  private void policy(Feature feature, Policy policy, Map<String, Object> given, String at) {
    Object value = given.get("value");
    if ((policy == Policy.DEFAULT) != (value != null)) {
      problem(at + "/value", NO_VALUE);
    } else if (policy == Policy.OWN_ROW
        && (feature.list().isPresent() || feature.vector().isPresent())) {
      problem(at + "/policy", "is own_row, which a list or vector cannot have");
    } else if (value != null && feature.list().isPresent()) {
      if (!value.equals(List.of())) {
        problem(at + "/value", "is " + Fields.show(value) + "; the only default of a list is []");
      }
    } else if (value != null && feature.vector().isPresent()) {
      vector(feature, feature.vector().get().length(), value, at + "/value");
    } else if (value != null) {
      element(feature, value, at + "/value");
    }
  }

  private void vector(Feature feature, int length, Object value, String at) {
    if (!(value instanceof List<?> elements) || elements.size() != length) {
      problem(
          at, "is " + Fields.show(value) + "; the default of this vector is an array of " + length);
      return;
    }
    for (int i = 0; i < length; i++) {
      element(feature, elements.get(i), at + "/" + i);
    }
  }

  private void element(Feature feature, Object value, String at) {
    if (!isLegal(feature, value)) {
      problem(
          at, "is " + Fields.show(value) + ", which is no " + feature.dtype().label() + " value");
    }
  }

  private static boolean isLegal(Feature feature, Object value) {
    Values values = new Values();
    if (value instanceof String text) {
      return values.string(feature, text.toCharArray(), 0, text.length()) == null;
    }
    if (value instanceof Boolean bool) {
      return values.bool(feature, bool) == null;
    }
    return value instanceof Literal literal
        && values.literal(
                feature,
                literal.integer(),
                literal.text().toCharArray(),
                0,
                literal.text().length())
            == null;
  }

  private void relations() {
    Map<String, Integer> names = new HashMap<>();
    Map<String, Feature> groups = new HashMap<>();
    for (int i = 0; i < features.size(); i++) {
      Feature feature = features.get(i);
      Integer earlier = names.putIfAbsent(feature.name(), i);
      if (earlier != null) {
        problem("/schema/features/" + i + "/name", "is the name of feature " + earlier + " too");
      }
      if (feature.group().isPresent()) {
        Feature first = groups.putIfAbsent(feature.group().get(), feature);
        if (first != null
            && (first.placement() != feature.placement() || !first.list().equals(feature.list()))) {
          problem(
              "/schema/features/" + i + "/group",
              "differs from '"
                  + first.name()
                  + "' in placement, max_length or keep; members of a group share them");
        }
      }
    }
    if (features.stream().noneMatch(feature -> feature.placement() == Placement.CANDIDATE)) {
      problem(
          "/schema/features", "has no candidate feature, but the graph learns n from their blocks");
    }
  }

  private static <E extends Enum<E>> E labelled(E[] values, String label) {
    for (E value : values) {
      if (value.name().equalsIgnoreCase(label)) {
        return value;
      }
    }
    throw new IllegalStateException(label + " was checked before");
  }
}
