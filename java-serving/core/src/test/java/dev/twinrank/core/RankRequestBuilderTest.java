package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.twinrank.core.internal.bundle.Vectors;
import dev.twinrank.core.internal.pack.Counts;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.request.RequestReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class RankRequestBuilderTest {
  private static final String POLICIES =
      ", \"missing\": {\"policy\": \"own_row\"}, \"invalid\": {\"policy\": \"error\"}}";
  private static final String LISTS =
      ", \"missing\": {\"policy\": \"default\", \"value\": []}, \"invalid\": {\"policy\": \"error\"}}";
  private static final PackPlan PLAN =
      new PackPlan(
          Vectors.schemaOf(
              scalar("i", "int64")
                  + scalar("t", "timestamp")
                  + scalar("f", "float32")
                  + scalar("d", "float64")
                  + scalar("b", "bool")
                  + scalar("s", "string")
                  + "{\"name\": \"soft\", \"placement\": \"context\", \"dtype\": \"int64\","
                  + " \"missing\": {\"policy\": \"own_row\"}, \"invalid\": {\"policy\": \"own_row\"}},"
                  + list("is", "int64")
                  + list("fs", "float32")
                  + list("bs", "bool")
                  + list("ss", "string")
                  + vector("vf", "float32")
                  + vector("vd", "float64")
                  + vector("vi", "int64")
                  + "{\"name\": \"any\", \"placement\": \"context\", \"dtype\": \"float64\","
                  + " \"nonfinite\": true"
                  + POLICIES
                  + ", {\"name\": \"item\", \"placement\": \"candidate\", \"dtype\": \"string\","
                  + " \"missing\": {\"policy\": \"error\"}, \"invalid\": {\"policy\": \"error\"}}"));

  private static String scalar(String name, String dtype) {
    return "{\"name\": \""
        + name
        + "\", \"placement\": \"context\", \"dtype\": \""
        + dtype
        + "\""
        + POLICIES
        + ", ";
  }

  private static String list(String name, String dtype) {
    return "{\"name\": \""
        + name
        + "\", \"placement\": \"context\", \"dtype\": \""
        + dtype
        + "\","
        + " \"list\": {\"max_length\": 3, \"keep\": \"last\"}"
        + LISTS
        + ", ";
  }

  private static String vector(String name, String dtype) {
    return "{\"name\": \""
        + name
        + "\", \"placement\": \"context\", \"dtype\": \""
        + dtype
        + "\", \"vector\": {\"length\": 2},"
        + " \"missing\": {\"policy\": \"default\", \"value\": [1, 2]},"
        + " \"invalid\": {\"policy\": \"error\"}}, ";
  }

  private static RankRequest.Builder builder() {
    return new RankRequest.Builder(
        PLAN,
        3,
        new Observation("m", OptionalLong.empty(), "", PLAN.schema(), List.of(), List.of()));
  }

  private static List<String> blocks(RankRequest request) {
    List<String> blocks = new ArrayList<>();
    for (PackedBlock block : request.blocks()) {
      byte[] bytes = new byte[block.data().remaining()];
      block.data().get(bytes);
      blocks.add(block.name() + Arrays.toString(block.shape()) + HexFormat.of().formatHex(bytes));
    }
    return blocks;
  }

  private static RankRequest json(String text) {
    return new RankRequest(
        PLAN, new RequestReader(PLAN, 3).read(Tiny.utf8(text)), new Counts(PLAN), -1);
  }

  @Test
  void packsTypedValuesAsJsonPacksLiterals() {
    RankRequest typed =
        builder()
            .k(1)
            .context("i", Long.MIN_VALUE)
            .context("t", -1L)
            .context("f", 16777217L) // as a literal: to float64, then to the nearest even float32
            .context("d", 0.1)
            .context("b", true)
            .context("s", "\ud83d\ude00\u0000")
            .context("is", new long[] {1, 2, 3, 4})
            .context("fs", new double[] {0.1, -0.0})
            .context("bs", new boolean[] {true, false})
            .context("ss", List.of("a", ""))
            .context("vf", new float[] {0.1f, -0.0f})
            .context("vd", new double[] {0.1, 1e300})
            .context("vi", new long[] {Long.MAX_VALUE, -1})
            .context("any", Double.NEGATIVE_INFINITY)
            .candidate()
            .set("item", "x")
            .candidate()
            .set("item", "")
            .build();
    RankRequest read =
        json(
            "{\"k\": 1, \"context\": {\"i\": -9223372036854775808, \"t\": -1, \"f\": 16777217,"
                + " \"d\": 0.1, \"b\": true, \"s\": \"\\ud83d\\ude00\\u0000\", \"is\": [1, 2, 3, 4],"
                + " \"fs\": [0.1, -0.0], \"bs\": [true, false], \"ss\": [\"a\", \"\"],"
                + " \"vf\": [0.1, -0.0], \"vd\": [0.1, 1e300], \"vi\": [9223372036854775807, -1],"
                + " \"any\": \"-Infinity\"}, \"candidates\": [{\"item\": \"x\"}, {\"item\": \"\"}]}");
    assertEquals(blocks(read), blocks(typed));
    assertEquals(read.k(), typed.k());
    assertEquals(2, typed.candidates());
  }

  @Test
  void takesFloatsForEveryFloatFeatureByWideningThemExactly() {
    RankRequest narrow = builder().context("vd", new float[] {0.1f, 1}).build();
    assertEquals(blocks(builder().context("vd", new double[] {0.1f, 1}).build()), blocks(narrow));
    RankRequest list =
        builder().context("fs", new float[] {0.1f}).candidate().set("item", "").build();
    assertEquals(
        blocks(json("{\"context\": {\"fs\": [0.1]}, \"candidates\": [{\"item\": \"\"}]}")),
        blocks(list));
  }

  @Test
  void refusesAVectorOfAnotherLengthOrType() {
    for (UnaryOperator<RankRequest.Builder> wrong :
        List.<UnaryOperator<RankRequest.Builder>>of(
            b -> b.context("vf", new float[] {1}),
            b -> b.context("vd", new double[3]),
            b -> b.context("vi", new long[0]))) {
      ScoringException refusal = assertThrows(ScoringException.class, () -> wrong.apply(builder()));
      assertEquals(ErrorCode.WRONG_LENGTH, refusal.code(), refusal.getMessage());
    }
    for (UnaryOperator<RankRequest.Builder> wrong :
        List.<UnaryOperator<RankRequest.Builder>>of(
            b -> b.context("vf", 1.0),
            b -> b.context("vi", new float[] {1, 2}),
            b -> b.context("vi", new double[] {1}),
            b -> b.context("vf", new boolean[2]),
            b -> b.context("i", new float[] {1}))) {
      ScoringException refusal = assertThrows(ScoringException.class, () -> wrong.apply(builder()));
      assertEquals(ErrorCode.WRONG_TYPE, refusal.code(), refusal.getMessage());
    }
    ScoringException overflow =
        assertThrows(
            ScoringException.class, () -> builder().context("vf", new double[] {1e39, 1, 1}));
    assertEquals(ErrorCode.OUT_OF_RANGE, overflow.code());
  }

  @Test
  void takesNullForMissing() {
    RankRequest typed = builder().context("s", (String) null).context("is", (long[]) null).build();
    assertEquals(blocks(json("{\"context\": {}, \"candidates\": []}")), blocks(typed));
  }

  @Test
  void absorbsWhatAPolicyAbsorbs() {
    assertEquals(
        blocks(json("{\"context\": {\"soft\": \"x\"}, \"candidates\": []}")),
        blocks(builder().context("soft", 1.0).build()));
  }

  static List<Arguments> refusals() {
    return List.of(
        refusal(b -> b.context("nope", 1), ErrorCode.UNKNOWN_FEATURE, "nope"),
        refusal(b -> b.context("item", "x"), ErrorCode.UNKNOWN_FEATURE, "item"),
        refusal(b -> b.context("i", 1.0), ErrorCode.WRONG_TYPE, "i"),
        refusal(b -> b.context("i", true), ErrorCode.WRONG_TYPE, "i"),
        refusal(b -> b.context("f", true), ErrorCode.WRONG_TYPE, "f"),
        refusal(b -> b.context("b", 1), ErrorCode.WRONG_TYPE, "b"),
        refusal(b -> b.context("s", 1), ErrorCode.WRONG_TYPE, "s"),
        refusal(b -> b.context("d", "1"), ErrorCode.WRONG_TYPE, "d"),
        refusal(b -> b.context("i", new long[] {1}), ErrorCode.WRONG_TYPE, "i"),
        refusal(b -> b.context("is", 1), ErrorCode.WRONG_TYPE, "is"),
        refusal(b -> b.context("ss", Arrays.asList("a", null)), ErrorCode.WRONG_TYPE, "ss"),
        refusal(b -> b.context("f", 1e39), ErrorCode.OUT_OF_RANGE, "f"),
        refusal(b -> b.context("f", Double.NaN), ErrorCode.NON_FINITE, "f"),
        refusal(b -> b.context("d", "Infinity"), ErrorCode.NON_FINITE, "d"),
        refusal(b -> b.context("s", "\udc00"), ErrorCode.INVALID_STRING, "s"),
        refusal(b -> b.k(-1), ErrorCode.INVALID_REQUEST, null));
  }

  private static Arguments refusal(
      UnaryOperator<RankRequest.Builder> step, ErrorCode code, String feature) {
    return Arguments.of(step, code, feature);
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void refusesAsJsonIsRefusedAndIsSpentThen(
      UnaryOperator<RankRequest.Builder> step, ErrorCode code, String feature) {
    RankRequest.Builder builder = builder();
    ScoringException refusal = assertThrows(ScoringException.class, () -> step.apply(builder));
    assertEquals(code, refusal.code());
    assertEquals(Optional.ofNullable(feature), refusal.feature());
    assertEquals(OptionalInt.empty(), refusal.candidate());
    assertThrows(IllegalStateException.class, builder::build);
  }

  @Test
  void namesTheCandidateThatLacksAFeature() {
    RankRequest.Builder builder = builder().candidate().set("item", "x").candidate();
    ScoringException refusal = assertThrows(ScoringException.class, builder::candidate);
    assertEquals(ErrorCode.MISSING_FEATURE, refusal.code());
    assertEquals(OptionalInt.of(1), refusal.candidate());
    assertEquals(
        "feature 'item' of candidate 1 is absent or null; send a string without lone surrogates,"
            + " or export a model whose policy for missing values is not 'error'",
        refusal.getMessage());
  }

  @Test
  void refusesOneCandidateTooMany() {
    RankRequest.Builder builder = builder();
    for (int i = 0; i < 3; i++) {
      builder.candidate().set("item", "x");
    }
    ScoringException refusal = assertThrows(ScoringException.class, builder::candidate);
    assertEquals(ErrorCode.TOO_MANY_CANDIDATES, refusal.code());
    assertEquals(OptionalInt.of(3), refusal.candidate());
  }

  @Test
  void refusesASecondValueAndAValueWithoutACandidate() {
    assertThrows(IllegalArgumentException.class, () -> builder().context("i", 1).context("i", 1));
    assertThrows(IllegalStateException.class, () -> builder().set("item", "x"));
    RankRequest.Builder built = builder();
    built.build();
    assertThrows(IllegalStateException.class, built::build);
  }

  @Test
  void suggestsTheNearestName() {
    ScoringException refusal =
        assertThrows(ScoringException.class, () -> builder().candidate().set("itm", "x"));
    assertEquals("'itm' is no feature of candidate 0; did you mean 'item'?", refusal.getMessage());
  }
}
