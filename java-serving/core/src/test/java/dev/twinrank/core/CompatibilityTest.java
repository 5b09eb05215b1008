package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Compatibility.Face;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CompatibilityTest {
  private static final Head WATCHED = new Head("watched", DType.FLOAT32);
  private static final Head SCORE = new Head("score", DType.FLOAT32);
  private static final Feature USER = scalar("user", Placement.CONTEXT, DType.STRING, Policy.ERROR);
  private static final Feature AGE = scalar("age", Placement.CONTEXT, DType.INT64, Policy.OWN_ROW);

  private static Feature scalar(String name, Placement placement, DType dtype, Policy missing) {
    return feature(name, placement, dtype, Optional.empty(), Optional.empty(), missing);
  }

  private static Feature list(int length) {
    return feature(
        "tags",
        Placement.CANDIDATE,
        DType.STRING,
        Optional.of(new ListSpec(length, ListSpec.Keep.LAST)),
        Optional.empty(),
        Policy.DEFAULT);
  }

  private static Feature vector(int length) {
    return feature(
        "tags",
        Placement.CANDIDATE,
        DType.STRING,
        Optional.empty(),
        Optional.of(new VectorSpec(length)),
        Policy.DEFAULT);
  }

  private static Feature feature(
      String name,
      Placement placement,
      DType dtype,
      Optional<ListSpec> list,
      Optional<VectorSpec> vector,
      Policy missing) {
    return new Feature(
        name,
        placement,
        dtype,
        list,
        vector,
        Optional.empty(),
        false,
        missing,
        Policy.ERROR,
        Policy.OWN_ROW);
  }

  private static List<String> differences(List<Feature> before, List<Feature> after) {
    return differences(
        new Face(Schema.of(before), List.of(WATCHED), SCORE, 100),
        new Face(Schema.of(after), List.of(WATCHED), SCORE, 100));
  }

  private static List<String> differences(Face before, Face after) {
    List<Problem> problems = Compatibility.differences(7, before, after);
    for (Problem each : problems) {
      assertEquals(ErrorCode.INCOMPATIBLE_VERSION, each.code());
      assertTrue(each.detail().contains("Differences.ALLOW"), each.detail());
    }
    return problems.stream()
        .map(each -> each.path() + " " + each.detail().substring(0, each.detail().indexOf(';')))
        .toList();
  }

  @Test
  void whatOldRequestsHoldIsAllThatTheNewVersionNeeds() {
    assertEquals(List.of(), differences(List.of(USER, AGE), List.of(USER, AGE)));
    assertEquals(List.of(), differences(List.of(USER), List.of(AGE, USER)));
    assertEquals(
        List.of(),
        differences(
            List.of(USER),
            List.of(scalar("user", Placement.CONTEXT, DType.STRING, Policy.OWN_ROW))));
    assertEquals(List.of(), differences(List.of(list(3)), List.of(list(9))));
  }

  @Test
  void aNewRequiredFeatureIsOne() {
    assertEquals(
        List.of(
            "manifest.json#/schema/features/1 requires the context feature 'user', which version 7 does not have"),
        differences(List.of(AGE), List.of(AGE, USER)));
  }

  @Test
  void aFeatureThatHasBecomeRequiredIsOne() {
    assertEquals(
        List.of(
            "manifest.json#/schema/features/0/missing requires the context feature 'age', which version 7 can do without"),
        differences(
            List.of(AGE), List.of(scalar("age", Placement.CONTEXT, DType.INT64, Policy.ERROR))));
  }

  @Test
  void anotherPlacementTypeAndKindOfASharedFeatureAreEachOne() {
    assertEquals(
        List.of(
            "manifest.json#/schema/features/0/placement 'age' is candidate, in version 7 context",
            "manifest.json#/schema/features/0/dtype 'age' is float32, in version 7 int64",
            "manifest.json#/schema/features/1 'tags' is a vector of 3, in version 7 a list"),
        differences(
            List.of(AGE, list(3)),
            List.of(scalar("age", Placement.CANDIDATE, DType.FLOAT32, Policy.OWN_ROW), vector(3))));
    assertEquals(
        List.of(
            "manifest.json#/schema/features/0 'tags' is a vector of 4, in version 7 a vector of 3"),
        differences(List.of(vector(3)), List.of(vector(4))));
  }

  @Test
  void aFeatureThatIsGoneIsOne() {
    assertEquals(
        List.of(
            "manifest.json#/schema/features does not know the context feature 'age', which requests to version 7 may hold"),
        differences(List.of(USER, AGE), List.of(USER)));
  }

  @Test
  void refusingWhatWasAbsorbedIsOneEach() {
    Feature before = number(true, Policy.DEFAULT, Policy.OWN_ROW);
    assertEquals(
        List.of(
            "manifest.json#/schema/features/0/invalid refuses invalid values of the context feature 'price', which are no refusal in version 7",
            "manifest.json#/schema/features/0/nonfinite refuses NaN and infinities in the context feature 'price', which are no refusal in version 7",
            "manifest.json#/schema/features/0/unseen refuses unseen values of the context feature 'price', which are no refusal in version 7"),
        differences(List.of(before), List.of(number(false, Policy.ERROR, Policy.ERROR))));
    assertEquals(
        List.of(),
        differences(List.of(number(false, Policy.ERROR, Policy.ERROR)), List.of(before)));
  }

  private static Feature number(boolean nonfinite, Policy invalid, Policy unseen) {
    return new Feature(
        "price",
        Placement.CONTEXT,
        DType.FLOAT32,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        nonfinite,
        Policy.DEFAULT,
        invalid,
        unseen);
  }

  @Test
  void fewerCandidatesAreOneAndMoreAreNone() {
    Schema schema = Schema.of(List.of(USER));
    Face hundred = new Face(schema, List.of(WATCHED), SCORE, 100);
    Face ninety = new Face(schema, List.of(WATCHED), SCORE, 90);
    assertEquals(
        List.of("manifest.json#/max_candidates takes 90 candidates at most, version 7 takes 100"),
        differences(hundred, ninety));
    assertEquals(List.of(), differences(ninety, hundred));
  }

  @Test
  void otherHeadsInNameOrderOrTypeAreOne() {
    Schema schema = Schema.of(List.of(USER));
    Head margin = new Head("margin", DType.FLOAT64);
    Face before = new Face(schema, List.of(WATCHED, margin), SCORE, 100);
    assertEquals(
        List.of(
            "manifest.json#/heads the heads are [margin float64, watched float32], in version 7 [watched float32, margin float64]"),
        differences(before, new Face(schema, List.of(margin, WATCHED), SCORE, 100)));
    assertEquals(
        List.of("manifest.json#/score the score is float64, in version 7 float32"),
        differences(
            before,
            new Face(schema, List.of(WATCHED, margin), new Head("score", DType.FLOAT64), 100)));
  }
}
