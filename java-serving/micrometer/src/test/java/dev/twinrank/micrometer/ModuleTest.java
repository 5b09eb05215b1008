package dev.twinrank.micrometer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The other tests run on the class path; here the same jars are modules. */
class ModuleTest {
  private static final Predicate<String> OF_TESTS =
      entry ->
          entry.endsWith("test-classes")
              || entry.matches(".*/(junit|opentest4j|apiguardian|surefire)[^/]*\\.jar");

  @TempDir Path folder;

  @Test
  void publishesOnTheModulePathWithoutAnyOption() throws Exception {
    // The embedder alone: a package of a module must not be on the class path too.
    Path compiled = Path.of(entries(entry -> entry.endsWith("test-classes")));
    Path application = folder.resolve("dev/twinrank/embedder/Embedder.class");
    Files.createDirectories(application.getParent());
    Files.copy(compiled.resolve(folder.relativize(application).toString()), application);
    Path out = folder.resolve("stdout.txt");
    Path err = folder.resolve("stderr.txt");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--module-path",
                entries(OF_TESTS.negate()),
                "--add-modules",
                "dev.twinrank.micrometer",
                "-cp",
                folder.toString(),
                "dev.twinrank.embedder.Embedder",
                ModelMetricsTest.BUNDLE.toString(),
                "{\"context\": {\"when\": 0, \"budget\": 0}, \"candidates\": ["
                    + "{\"stock\": 1, \"quality\": 0.5, \"margin\": 2}]}")
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    assertEquals(0, process.waitFor(), Files.readString(err));
    assertEquals(
        List.of(
            "module dev.twinrank.micrometer",
            "exports [dev.twinrank.micrometer]",
            "answered 1.0",
            "ran 1"),
        Files.readAllLines(out));
  }

  private static String entries(Predicate<String> wanted) {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(wanted)
        .collect(Collectors.joining(File.pathSeparator));
  }
}
