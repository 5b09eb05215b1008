package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.VerificationReport.Difference;
import dev.twinrank.core.VerificationReport.Golden;
import dev.twinrank.core.VerificationReport.Phase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerificationReportTest {
  private static final List<String> PHASES =
      List.of("layout", "manifest", "digests", "signature", "graph", "session", "goldens");

  @TempDir Path folder;

  private static List<String> names(VerificationReport report) {
    return report.phases().stream().map(Phase::name).toList();
  }

  private static List<Golden> failed(VerificationReport report) {
    return report.goldens().stream().filter(golden -> !golden.passed()).toList();
  }

  private Mutator copy() throws IOException {
    return Mutator.copy(Tiny.BASE, folder).rehost().reseal(List.of("manifest"));
  }

  private static void replace(Mutator mutator, String file, String find, String with)
      throws IOException {
    mutator.apply(Map.of("op", "replace", "path", file, "find", find, "with", with));
  }

  @Test
  void aSoundModelPassesWhileItServes() {
    try (Model model = Tiny.open()) {
      VerificationReport report = model.verify();
      assertTrue(report.passed(), report::toString);
      assertEquals(Optional.of(model.verification()), report.verification());
      assertEquals(Optional.of(model.digest()), report.digest());
      assertEquals(List.of("digests", "goldens"), names(report));
      assertEquals(Tiny.requests().size(), report.goldens().size());
      for (int i = 0; i < report.goldens().size(); i++) {
        Object n = Tiny.rankings().get(i).getOrDefault("n", "0");
        assertEquals(i + 1, report.goldens().get(i).line());
        assertEquals(n.toString(), "" + report.goldens().get(i).candidates());
        assertEquals(List.of(), report.goldens().get(i).differences());
      }
      assertEquals(0, model.statistics().requests());
    }
  }

  @Test
  void aBundleIsOpenedReportedAndClosed() throws IOException {
    Path bundle = copy().bundle();
    VerificationReport report = Model.verify(bundle, ModelOptions.defaults());
    assertTrue(report.passed(), report::toString);
    List<String> all = new ArrayList<>(PHASES);
    all.add("warm-up");
    assertEquals(all, names(report));
    assertEquals(Verification.State.VERIFIED_BITS, report.verification().orElseThrow().state());
    try (Model model = Model.open(bundle)) {
      assertEquals(all, names(model.opening()));
      assertEquals(report.goldens().size(), model.opening().goldens().size());
    }
  }

  @Test
  void aWeightThatWasChangedShowsInTheGoldensAndHeadsThatItReaches() throws IOException {
    Mutator mutator = copy();
    mutator.apply(Map.of("op", "copy", "from", "models/other-weight.onnx", "path", "model.onnx"));
    mutator.reseal(List.of("files", "manifest"));
    VerificationReport report = Model.verify(mutator.bundle(), ModelOptions.defaults());
    assertEquals(PHASES, names(report));
    assertEquals(Optional.empty(), report.verification());
    assertFalse(report.passed());
    assertEquals(failed(report).size(), report.problems().size());
    assertEquals(ErrorCode.GOLDEN_MISMATCH, report.problems().get(0).code());
    for (Golden golden : report.goldens()) {
      assertEquals(golden.passed(), golden.differences().isEmpty(), report::toString);
    }
    BundleException refusal =
        assertThrows(BundleException.class, () -> Model.open(mutator.bundle()).close());
    assertEquals(refusal.problems(), report.problems());
  }

  @Test
  void aGoldenThatWasChangedIsTheOnlyOneThatDiffersAndNamesItsHead() throws IOException {
    Mutator mutator = copy();
    // Line 5 stores watched = 15.5; one bit more is 15.500001, 2^-20 away.
    replace(mutator, "goldens/rankings.jsonl", "41780000", "41780001");
    mutator.reseal(List.of("files", "manifest"));
    VerificationReport report = Model.verify(mutator.bundle(), ModelOptions.defaults());
    assertFalse(report.passed());
    assertEquals(1, failed(report).size(), report::toString);
    Golden golden = failed(report).get(0);
    assertEquals(5, golden.line());
    assertEquals(List.of(new Difference("watched", 1, Math.scalb(1.0, -20))), golden.differences());
    assertEquals(1, report.problems().size());
    assertEquals("goldens/rankings.jsonl:5", report.problems().get(0).path());
    String text = report.toString();
    assertTrue(text.startsWith("FAILED "), text);
    assertTrue(text.contains("DIFFERS: it gives 15.5 instead of 15.500000953674316"), text);
    assertTrue(text.contains("head 'watched': 1 of 1 values have other bits"), text);
    assertTrue(text.contains("golden_mismatch: goldens/rankings.jsonl:5: "), text);
  }

  @Test
  void anotherExpectedCodeShowsInItsGolden() throws IOException {
    Mutator mutator = copy();
    replace(mutator, "goldens/rankings.jsonl", "missing_feature", "unknown_feature");
    mutator.reseal(List.of("files", "manifest"));
    VerificationReport report = Model.verify(mutator.bundle(), ModelOptions.defaults());
    assertEquals(List.of(10), failed(report).stream().map(Golden::line).toList());
    assertEquals(List.of(), failed(report).get(0).differences());
  }

  @Test
  void onAnotherHostClassAGoldenPassesWithDifferencesWithinTheTolerance() throws IOException {
    Mutator mutator = Mutator.copy(Tiny.BASE, folder);
    replace(mutator, "goldens/rankings.jsonl", "41780000", "41780001");
    mutator.reseal(List.of("files", "manifest"));
    VerificationReport report = Model.verify(mutator.bundle(), Tiny.BY_REFERENCE);
    assertTrue(report.passed(), report::toString);
    assertEquals(
        List.of(new Difference("watched", 1, Math.scalb(1.0, -20))),
        report.goldens().get(4).differences());
  }

  @Test
  void goldensThatChangedUnderAModelThatServesAreReportedAndItServesOn() throws IOException {
    Mutator mutator = copy();
    try (Model model = Model.open(mutator.bundle())) {
      replace(mutator, "goldens/rankings.jsonl", "41780000", "41780001");
      VerificationReport report = model.verify();
      assertFalse(report.passed());
      assertEquals(List.of("digests"), names(report));
      assertEquals(ErrorCode.DIGEST_MISMATCH, report.problems().get(0).code());
      assertEquals("goldens/rankings.jsonl", report.problems().get(0).path());
      mutator.apply(Map.of("op", "delete", "path", "goldens"));
      assertEquals(ErrorCode.FILE_MISSING, model.verify().problems().get(0).code());
      assertEquals(1, model.rank(model.parse(Tiny.request(1))).entries().size());
    }
  }

  @Test
  void aBundleThatFailsEarlyTellsThePhasesThatWereReached() throws IOException {
    Mutator mutator = copy();
    mutator.apply(Map.of("op", "append", "path", "model.onnx", "text", "x"));
    VerificationReport report = Model.verify(mutator.bundle(), ModelOptions.defaults());
    assertEquals(List.of("layout", "manifest", "digests"), names(report));
    assertEquals(ErrorCode.SIZE_MISMATCH, report.problems().get(0).code());
    assertEquals(Optional.of(mutator.digest()), report.digest());
    VerificationReport nothing = Model.verify(folder.resolve("none"), ModelOptions.defaults());
    assertEquals(List.of("layout"), names(nothing));
    assertEquals(Optional.empty(), nothing.digest());
    assertFalse(nothing.passed());
  }

  @Test
  void aClosedModelCannotBeVerified() {
    Model model = Tiny.open();
    model.close();
    assertThrows(IllegalStateException.class, model::verify);
  }
}
