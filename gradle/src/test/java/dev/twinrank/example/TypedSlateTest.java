package dev.twinrank.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Feature;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import dev.twinrank.core.Schema;
import dev.twinrank.core.Scores;
import dev.twinrank.core.Slate;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;

/** One request, said twice: as a typed slate and as JSON. Values are made up for whatever features the bundle has. */
class TypedSlateTest {
  private static final int CANDIDATES = 3;
  private static final ModelOptions OPTIONS = new ModelOptions(ModelOptions.Require.REFERENCE);

  @Test
  void aTypedSlateGivesTheBitsOfTheSameRequestAsJson() {
    try (Model model = Model.open(Path.of(System.getProperty("twinrank.bundle")), OPTIONS);
        Slate slate = model.slate(CANDIDATES)) {
      int features = 0;
      StringJoiner context = new StringJoiner(", ", "{", "}");
      StringJoiner candidate = new StringJoiner(", ", "{", "}");
      for (Feature feature : model.schema().features()) {
        if (feature.unseen() == Policy.ERROR) {
          continue; // what its vocabulary holds is the graph's secret
        }
        boolean shared = feature.placement() == Placement.CONTEXT;
        for (int i = 0; i < (shared ? 1 : CANDIDATES); i++) {
          set(slate, model.schema(), feature, i);
        }
        (shared ? context : candidate).add("\"" + feature.name() + "\": " + json(feature));
        features++;
      }
      assertTrue(features > 0);
      String candidates = String.join(", ", Collections.nCopies(CANDIDATES, candidate.toString()));
      String request = "{\"context\": " + context + ", \"candidates\": [" + candidates + "]}";
      assertSame(model.score(model.parse(request.getBytes(StandardCharsets.UTF_8))), model.scores(slate));
    }
  }

  private static void assertSame(Scores expected, Scores found) {
    for (int i = 0; i < CANDIDATES; i++) {
      assertEquals(expected.scoreBits(i), found.scoreBits(i), "score of " + i);
      for (int head = 0; head < expected.heads().size(); head++) {
        assertEquals(expected.bits(head, i), found.bits(head, i), expected.heads().get(head) + " of " + i);
      }
    }
  }

  private static int length(Feature feature) {
    return feature.vector().isPresent() ? feature.vector().get().length() : 2;
  }

  private static boolean isSequence(Feature feature) {
    return feature.list().isPresent() || feature.vector().isPresent();
  }

  private static String json(Feature feature) {
    String one =
        switch (feature.dtype()) {
          case INT64, TIMESTAMP -> "7";
          case FLOAT32, FLOAT64 -> "0.1";
          case BOOL -> "true";
          case STRING -> "\"crème\"";
        };
    return isSequence(feature) ? Collections.nCopies(length(feature), one).toString() : one;
  }

  // A handle says at compile time which Java values its feature takes.
  private static void set(Slate slate, Schema schema, Feature feature, int candidate) {
    boolean shared = feature.placement() == Placement.CONTEXT;
    String name = feature.name();
    switch (feature.dtype()) {
      case INT64, TIMESTAMP -> {
        long[] values = new long[length(feature)];
        Arrays.fill(values, 7);
        if (isSequence(feature) && shared) {
          slate.set(schema.integers(name), values);
        } else if (isSequence(feature)) {
          slate.set(candidate, schema.integers(name), values);
        } else if (shared) {
          slate.set(schema.integer(name), 7);
        } else {
          slate.set(candidate, schema.integer(name), 7);
        }
      }
      case FLOAT32, FLOAT64 -> {
        double[] values = new double[length(feature)];
        Arrays.fill(values, 0.1);
        if (isSequence(feature) && shared) {
          slate.set(schema.numbers(name), values);
        } else if (isSequence(feature)) {
          slate.set(candidate, schema.numbers(name), values);
        } else if (shared) {
          slate.set(schema.number(name), 0.1);
        } else {
          slate.set(candidate, schema.number(name), 0.1);
        }
      }
      case BOOL -> {
        if (isSequence(feature)) {
          throw new AssertionError("no bundle here has a list of booleans, and now one has: " + name);
        } else if (shared) {
          slate.set(schema.bool(name), true);
        } else {
          slate.set(candidate, schema.bool(name), true);
        }
      }
      case STRING -> {
        String[] values = new String[length(feature)];
        Arrays.fill(values, "crème");
        if (isSequence(feature) && shared) {
          slate.set(schema.strings(name), values);
        } else if (isSequence(feature)) {
          slate.set(candidate, schema.strings(name), values);
        } else if (shared) {
          slate.set(schema.string(name), "crème");
        } else {
          slate.set(candidate, schema.string(name), "crème");
        }
      }
    }
  }
}
