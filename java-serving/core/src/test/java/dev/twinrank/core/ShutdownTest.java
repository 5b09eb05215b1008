package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Without the reference that OrtHost takes, no such process ends well: its loads fail while it
 * drains, or it dies of a memory fault. RATIONALE.md has the figures.
 */
class ShutdownTest {
  // `make full` asks for more; twenty of twenty fail without the reference, so ten tell.
  private static final int ROUNDS = Integer.getInteger("twinrank.shutdown.rounds", 10);
  private static final int TERMINATED = 128 + 15;

  @TempDir Path folder;

  @Test
  @DisabledOnOs(value = OS.WINDOWS, disabledReason = "there is no SIGTERM")
  void processThatLoadsGoesOnLoadingWhileItDrainsAndEndsByTheSignal() throws Exception {
    Path bad =
        Mutator.copy(Tiny.BASE, folder)
            .apply(Map.of("op", "copy", "from", "models/unrunnable.onnx", "path", "model.onnx"))
            .reseal(List.of("files", "manifest"))
            .bundle();
    Random random = new Random(7);
    for (int round = 0; round < ROUNDS; round++) {
      Process victim = start(Tiny.path(), bad);
      try (BufferedReader out = victim.inputReader(StandardCharsets.UTF_8)) {
        for (int loads = 0; loads < 3 + random.nextInt(5); loads++) {
          assertNotNull(out.readLine(), () -> "the process ended by itself, " + log());
        }
        victim.destroy();
        assertEquals(TERMINATED, victim.waitFor(), log());
      } finally {
        victim.destroyForcibly();
      }
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertFalse(files.anyMatch(file -> file.getFileName().toString().startsWith("hs_err")));
    }
  }

  private Process start(Path... bundles) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-Djava.io.tmpdir=" + folder,
            "-Dbasedir=" + System.getProperty("basedir"),
            "-cp",
            System.getProperty("java.class.path"),
            ShutdownVictim.class.getName());
    for (Path bundle : bundles) {
      builder.command().add(bundle.toString());
    }
    return builder
        .directory(folder.toFile())
        .redirectError(folder.resolve("stderr.txt").toFile())
        .start();
  }

  private String log() {
    try {
      return Files.readString(folder.resolve("stderr.txt"));
    } catch (IOException e) {
      return "and left no log: " + e;
    }
  }
}
