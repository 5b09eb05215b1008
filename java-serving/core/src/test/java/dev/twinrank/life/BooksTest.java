package dev.twinrank.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.engine.EngineProvider;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What an engine gives out comes back once: the tensors of a workspace are too small for {@link
 * LeakTest} to see, so they are counted.
 */
class BooksTest {
  private static final int ROUNDS = Size.of(1, 10, 100);
  private static final Pattern RESULT =
      Pattern.compile("closed once each: (\\d+) graphs, (\\d+) workspaces; (\\d+) failures");

  @TempDir Path folder;

  @Test
  void everyGraphAndEveryWorkspaceIsClosedOnceWhateverHappensInBetween() throws Exception {
    Path models = Bundles.make(folder);
    Path services = folder.resolve("classes/META-INF/services");
    Files.createDirectories(services);
    Files.writeString(
        services.resolve(EngineProvider.class.getName()), CountingEngine.Provider.class.getName());
    List<String> options =
        List.of(
            "-Xmx256m",
            "-D" + CountingEngine.COUNTED + "=" + (Child.ENGINE.isEmpty() ? "jni" : Child.ENGINE),
            "-Dtwinrank.engine=" + CountingEngine.NAME);
    try (Child child = Child.start(folder, options, Bookkeeper.class, models, ROUNDS)) {
      int code = child.end();
      assertFalse(child.crashed(), child::story);
      assertEquals(0, code, child::story);
      Matcher result = RESULT.matcher(child.lines().get(child.lines().size() - 1));
      assertTrue(result.matches(), child::story);
      Size.report(
          "%s graphs and %s workspaces of %d rounds, %s failures among them: each closed once",
          result.group(1), result.group(2), ROUNDS, result.group(3));
    }
  }
}
