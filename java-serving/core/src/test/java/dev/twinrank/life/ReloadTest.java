package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Versions are replaced under load, and every answer is one version's and no mixture. */
class ReloadTest {
  private static final int RELOADS = Size.of(40, 200, 1000);
  private static final Pattern RESULT =
      Pattern.compile("answers (\\d+), of (\\d+) requests by 3 bundles; mixed 0, wrong 0");

  @TempDir Path folder;

  @Test
  void everyAnswerUnderReloadsIsOneBundlesAndIsScoredAgainAlike() throws Exception {
    Path models = Bundles.make(folder);
    try (Child child =
        Child.start(
            folder.resolve("child"), List.of("-Xmx256m"), Reloader.class, models, RELOADS)) {
      int code = child.end();
      assertFalse(child.crashed(), child::story);
      assertEquals(0, code, child::story);
      Matcher result = RESULT.matcher(child.lines().get(child.lines().size() - 1));
      assertTrue(result.matches(), child::story);
      // Each reload waits for an answer; if no more came, nothing was under way meanwhile.
      assertTrue(Long.parseLong(result.group(1)) > RELOADS, child::story);
      Size.report(
          "%d reloads under load: %s answers to %s requests, 0 mixed, 0 failed, all scored again"
              + " alike",
          RELOADS, result.group(1), result.group(2));
    }
  }
}
