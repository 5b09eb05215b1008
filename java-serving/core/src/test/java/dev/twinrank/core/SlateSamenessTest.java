package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Sample.Outcome;
import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.json.JsonTree.Literal;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A slate packs what JSON and the builder pack, to the byte, and refuses what they refuse. */
class SlateSamenessTest {
  private static final int SEED = 20261122;
  private static final int SCHEMAS = Integer.getInteger("twinrank.slateSchemas", 200);
  private static final int REQUESTS = 6;
  private static final Pattern INTEGER_MINUS_ZERO = Pattern.compile("-0(?![.\\deE])");

  /** The vectors whose values a slate can be given: without text, wrong types and unknown names. */
  @Test
  void givesWhatTheContractsVectorsSay() {
    int given = 0;
    for (String file : Contract.files("vectors", "requests*.json")) {
      for (Map<String, Object> vector : Contract.cases(file, "cases")) {
        Schema schema = Vectors.schema(vector.get("schema"));
        Optional<Sample> sample = sample(vector, schema);
        if (sample.isPresent()) {
          given++;
          check(vector, schema, sample.get());
        }
      }
    }
    // Counted once by hand; a generator that drops vectors should be noticed here.
    assertTrue(given >= GIVEN, given + " vectors");
  }

  private static final int GIVEN = 139;

  private static void check(Map<String, Object> vector, Schema schema, Sample sample) {
    FakeGraph graph = new FakeGraph(schema, Contract.integer(vector.get("max_candidates")));
    Map<String, Object> expected = Contract.object(vector.get("expect"));
    try (Slate slate = graph.scoring.lease(0)) {
      for (Outcome actual : List.of(sample.byRow(graph, slate), sample.byColumn(graph, slate))) {
        String name = Contract.text(vector, "name");
        if (expected.containsKey("error")) {
          Map<String, Object> error = Contract.object(expected.get("error"));
          assertNotNull(actual.refusal(), name);
          assertEquals(
              error.get("code") + " " + Optional.ofNullable(error.get("feature")),
              actual.refusal().replaceFirst(" Optional(Int.empty|Int\\[.*\\])$", ""),
              name);
          assertEquals(
              error.containsKey("candidate"), actual.refusal().contains("OptionalInt["), name);
        } else {
          List<String> hex = new ArrayList<>();
          Contract.object(expected.get("blocks"))
              .values()
              .forEach(block -> hex.add(Contract.text(Contract.object(block), "hex")));
          assertEquals(hex, actual.blocks(), name);
        }
      }
    }
  }

  private static Optional<Sample> sample(Map<String, Object> vector, Schema schema) {
    String code =
        Contract.object(vector.get("expect")).get("error") instanceof Map<?, ?> error
            ? (String) error.get("code")
            : "";
    // An integer has no negative zero, so -0 for a float cannot be told from 0 as a long.
    if (!vector.containsKey("request")
        || code.startsWith("invalid_")
        || INTEGER_MINUS_ZERO.matcher(Contract.text(vector, "request")).find()) {
      return Optional.empty();
    }
    Map<String, Object> request;
    try {
      request =
          Contract.object(
              dev.twinrank.core.internal.json.JsonTree.read(
                  Tiny.utf8(Contract.text(vector, "request")),
                  dev.twinrank.core.internal.json.JsonCursor.factory(64)));
    } catch (RuntimeException e) {
      return Optional.empty();
    }
    Object candidates = request.get("candidates");
    if (!(request.get("context") instanceof Map<?, ?>) || !(candidates instanceof List<?>)) {
      return Optional.empty();
    }
    Map<String, Object> context = values(schema, Placement.CONTEXT, request.get("context"));
    List<Map<String, Object>> rows = new ArrayList<>();
    for (Object each : (List<?>) candidates) {
      rows.add(values(schema, Placement.CANDIDATE, each));
    }
    return context == null || rows.contains(null)
        ? Optional.empty()
        : Optional.of(new Sample(context, rows));
  }

  /** Returns the values of an object as a slate takes them, or null if it cannot. */
  private static Map<String, Object> values(Schema schema, Placement placement, Object object) {
    if (!(object instanceof Map<?, ?>)) {
      return null;
    }
    Map<String, Object> values = new LinkedHashMap<>();
    for (Map.Entry<String, Object> each : Contract.object(object).entrySet()) {
      Optional<Feature> feature = schema.find(placement, each.getKey());
      if (feature.isEmpty()) {
        return null;
      }
      Object value = each.getValue();
      boolean sequence = feature.get().list().isPresent() || feature.get().vector().isPresent();
      if ("null".equals(String.valueOf(value)) && !(value instanceof String)) {
        values.put(each.getKey(), null);
      } else if (sequence != value instanceof List<?>) {
        return null;
      } else if (sequence) {
        List<Object> elements = new ArrayList<>();
        for (Object element : (List<?>) value) {
          Object typed = typed(feature.get().dtype(), element);
          if (typed == null) {
            return null;
          }
          elements.add(typed);
        }
        boolean mixed = elements.stream().map(Object::getClass).distinct().count() > 1;
        values.put(
            each.getKey(),
            mixed ? elements.stream().map(SlateSamenessTest::wide).toList() : elements);
      } else {
        Object typed = typed(feature.get().dtype(), value);
        if (typed == null) {
          return null;
        }
        values.put(each.getKey(), typed);
      }
    }
    return values;
  }

  private static Object wide(Object number) {
    return number instanceof Long integer ? (Object) (double) integer : number;
  }

  private static Object typed(DType dtype, Object value) {
    boolean floating = dtype.block() != DType.INT64;
    if (value instanceof Literal literal) {
      if (dtype == DType.INT64 || dtype == DType.TIMESTAMP || (floating && literal.integer())) {
        try {
          return literal.integer() ? Long.valueOf(literal.text()) : null;
        } catch (NumberFormatException e) {
          return null;
        }
      }
      // A literal beyond float64 is out_of_range; as a double it would be infinite.
      double number = Double.parseDouble(literal.text());
      return floating && Double.isFinite(number) ? (Object) number : null;
    }
    if (value instanceof String text && floating) {
      return List.of("NaN", "Infinity", "-Infinity").contains(text) ? Double.valueOf(text) : null;
    }
    boolean fits =
        (value instanceof String && dtype == DType.STRING)
            || (value instanceof Boolean && dtype == DType.BOOL);
    return fits ? value : null;
  }

  @Test
  void givesWhatJsonAndTheBuilderGiveForRandomSchemasAndValues() {
    int refused = 0;
    int packed = 0;
    for (int i = 0; i < SCHEMAS; i++) {
      Samples samples = new Samples(new SplitMix(SEED, i));
      FakeGraph graph = new FakeGraph(samples.schema(), 1000);
      try (Slate slate = graph.scoring.lease(0)) {
        for (int j = 0; j < REQUESTS; j++) {
          Sample sample = samples.request(j % 2 == 1);
          String name = "seed " + SEED + ", schema " + i + ", request " + j + ": " + sample;
          Counts rows = new Counts(graph.plan);
          Counts columns = new Counts(graph.plan);
          Outcome expected = sample.asJson(graph, rows);
          assertEquals(expected, sample.asColumns(graph, columns), name);
          if (expected.refusal() == null) {
            assertEquals(list(graph.plan, rows), list(graph.plan, columns), name);
          }
          assertEquals(expected, sample.asBuilder(graph), name);
          assertEquals(expected, sample.byRow(graph, slate), name);
          assertEquals(expected, sample.byColumn(graph, slate), name);
          refused += expected.refusal() == null ? 0 : 1;
          packed += expected.refusal() == null ? 1 : 0;
        }
      }
    }
    // Both halves must be met for the comparison to mean anything.
    assertTrue(refused > SCHEMAS / 2, refused + " refused");
    assertTrue(packed > SCHEMAS * 2, packed + " packed");
  }

  /** Returns the candidates, then for each feature what was missing and invalid. */
  private static List<Integer> list(PackPlan plan, Counts counts) {
    List<Integer> all = new ArrayList<>(List.of(counts.candidates()));
    for (int i = 0; i < plan.schema().features().size(); i++) {
      all.add(counts.missing(i));
      all.add(counts.invalid(i));
    }
    return all;
  }

  @Test
  void findsTheFirstOfManyMissingValuesContextFirstThenByCandidateThenBySchema() {
    for (int i = 0; i < SCHEMAS / 4; i++) {
      Samples samples = new Samples(new SplitMix(SEED + 1, i));
      FakeGraph graph = new FakeGraph(samples.schema(), 1000);
      try (Slate slate = graph.scoring.lease(0)) {
        for (int j = 0; j < REQUESTS; j++) {
          Sample sample = samples.withHoles();
          String name = "seed " + (SEED + 1) + ", schema " + i + ": " + sample;
          // JSON with the context first meets what is missing in this very order.
          Outcome expected = sample.asJson(graph);
          assertEquals(expected, sample.asColumns(graph, new Counts(graph.plan)), name);
          assertEquals(expected, sample.byRow(graph, slate), name);
          assertEquals(expected, sample.byColumn(graph, slate), name);
        }
      }
    }
  }
}
