package dev.twinrank.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Other JVMs, with the class path or module path of an application. */
final class Fork {
  /** Tells what an application sees; a source, so that older JVMs run it too. */
  private static final String FACTS =
      """
      import dev.twinrank.core.Runtimes;

      class Facts {
        public static void main(String[] args) {
          try {
            for (Runtimes.FoundEngine each : Runtimes.engines()) {
              System.out.println(each.name() + " " + each.chosen() + ": " + each.reason());
            }
            System.out.println(Runtimes.engine() + ", " + Runtimes.runtime());
            System.out.println(Runtimes.hostClass());
          } catch (IllegalStateException e) {
            System.out.println(e.getMessage());
          }
        }
      }
      """;

  private Fork() {}

  /** Returns what this JVM's class path has of the product and its libraries. */
  static String product() {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(
            entry ->
                entry.endsWith(File.separator + "classes")
                    || entry.matches(".*(onnxruntime|jackson-core|hash4j)-[0-9.]+\\.jar"))
        .collect(Collectors.joining(File.pathSeparator));
  }

  static String java() {
    return java(System.getProperty("java.home"));
  }

  static String java(String home) {
    return Path.of(home, "bin", "java").toString();
  }

  /** Returns the lines that an application on the class path prints of its engines. */
  static List<String> facts(Path folder, String java, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(java));
    command.addAll(List.of(options));
    command.addAll(
        List.of(
            "-cp", product(), Files.writeString(folder.resolve("Facts.java"), FACTS).toString()));
    return lines(folder, command);
  }

  /** Returns the same of an application on the module path. */
  static List<String> modularFacts(Path folder, String java, String... options)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(java));
    command.addAll(List.of(options));
    command.addAll(
        List.of(
            "--module-path",
            product(),
            "--add-modules",
            "dev.twinrank.ffm",
            Files.writeString(folder.resolve("Facts.java"), FACTS).toString()));
    return lines(folder, command);
  }

  /** Returns what a process prints that must end well. */
  static List<String> lines(Path folder, List<String> command)
      throws IOException, InterruptedException {
    Path out = folder.resolve("stdout.txt");
    Path err = folder.resolve("stderr.txt");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    assertEquals(0, process.waitFor(), Files.readString(err));
    return Files.readAllLines(out);
  }
}
