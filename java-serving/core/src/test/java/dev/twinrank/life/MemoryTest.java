package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A caller that runs out of memory hurts itself: the model goes on, and its answers are right. */
class MemoryTest {
  private static final int ROUNDS = Size.of(20, 60, 300);

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"-Xmx32m", "-XX:MaxDirectMemorySize=6m"})
  void callersThatRunOutOfMemoryLeaveTheModelWhole(String limit) throws Exception {
    Path models = Bundles.make(folder);
    List<String> options = limit.startsWith("-Xmx") ? List.of(limit) : List.of("-Xmx512m", limit);
    try (Child child =
        Child.start(folder.resolve("child"), options, Starver.class, models, ROUNDS)) {
      int code = child.end();
      assertFalse(child.crashed(), child::story);
      assertEquals(0, code, child::story);
      String last = child.lines().get(child.lines().size() - 1);
      assertTrue(last.matches("starved [1-9][0-9]*, answered [0-9]+"), child::story);
      Size.report("%s: %s slates of 10000; 0 crashes, then right answers", limit, last);
    }
  }
}
