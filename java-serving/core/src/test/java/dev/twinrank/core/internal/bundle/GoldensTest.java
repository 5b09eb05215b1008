package dev.twinrank.core.internal.bundle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.Mutator;
import dev.twinrank.core.Problem;
import dev.twinrank.core.Tiny;
import dev.twinrank.core.VerificationReport;
import dev.twinrank.core.VerificationReport.Difference;
import dev.twinrank.core.VerificationReport.Golden;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GoldensTest {
  @TempDir Path folder;

  /**
   * The files are sound in themselves, so that only a replay can find what the graph departs in.
   */
  @Test
  void aGraphThatServesOtherBitsThanItsGoldensIsReported() throws Exception {
    Mutator mutator = Mutator.copy(Tiny.BASE, folder).rehost();
    // Line 5 stores watched = 15.5; one bit more is 15.500001, 2^-20 away.
    mutator.apply(
        Map.of(
            "op", "replace",
            "path", "goldens/rankings.jsonl",
            "find", "41780000",
            "with", "41780001"));
    mutator.reseal(List.of("files", "manifest"));
    Path root = mutator.bundle();
    Manifest manifest = BundleFiles.manifest(root, Tree.scan(root));
    OpenedBundle serving =
        OpenedBundle.open(
                Tiny.path(),
                Tiny.BY_REFERENCE,
                Optional.empty(),
                Optional.empty(),
                new Journal(Tiny.path()))
            .bundle();
    VerificationReport report;
    try {
      report =
          new Goldens(
                  root,
                  manifest,
                  serving.reader(),
                  serving.session(),
                  serving.engine(),
                  ModelOptions.defaults())
              .verify(serving.verification());
    } finally {
      serving.session().close();
    }
    assertFalse(report.passed(), report::toString);
    assertEquals(Optional.empty(), report.verification());
    assertEquals(
        List.of(ErrorCode.GOLDEN_MISMATCH), report.problems().stream().map(Problem::code).toList());
    assertEquals("goldens/rankings.jsonl:5", report.problems().get(0).path());
    List<Golden> failed = report.goldens().stream().filter(golden -> !golden.passed()).toList();
    assertEquals(List.of(5), failed.stream().map(Golden::line).toList());
    assertEquals(
        List.of(new Difference("watched", 1, Math.scalb(1.0, -20))), failed.get(0).differences());
    assertEquals(Tiny.requests().size(), report.goldens().size());
  }
}
