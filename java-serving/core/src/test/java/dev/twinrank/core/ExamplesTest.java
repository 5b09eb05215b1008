package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.embedder.Surroundings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The examples of the documentation, taken from where they are read. All of them compile against
 * what the module exports; those of a page that tells one story, from opening to closing, run as
 * the one program they are, against the fixture bundle.
 */
class ExamplesTest {
  private static final Path MODULE = Path.of(System.getProperty("basedir", "")).toAbsolutePath();
  private static final Path SOURCES = MODULE.resolve("src/main/java/dev/twinrank/core");
  private static final Path README = MODULE.resolveSibling("README.md");
  private static final Path FIRST_PAGE = MODULE.getParent().getParent().resolve("README.md");
  private static final Path OVERVIEW = SOURCES.resolve("package-info.java");
  private static final Pattern IN_JAVADOC =
      Pattern.compile("<pre>\\{@code\n(.*?)\n *\\* *}</pre>", Pattern.DOTALL);
  private static final Pattern IN_MARKDOWN = Pattern.compile("```java\n(.*?)\n```", Pattern.DOTALL);

  // The fixture bundle is called tiny, and its evidence is of a host class that no host has; a
  // reader's bundle is neither. And a slow machine must not miss a deadline.
  private static final Map<String, String> FITTED =
      Map.of(
          "\"shop\"", "\"tiny\"",
          "Model.open(Path.of(\"models/shop/1\"))",
              "Model.open(Path.of(\"models/tiny/1\"),"
                  + " new ModelOptions(ModelOptions.Require.REFERENCE))",
          "Model.open(Path.of(\"build/models/ml100k/1\"))",
              "Model.open(Path.of(\"models/tiny/1\"),"
                  + " new ModelOptions(ModelOptions.Require.REFERENCE))",
          "ModelOptions.builder()",
              "ModelOptions.builder().require(ModelOptions.Require.REFERENCE)",
          "Duration.ofMillis(50)", "Duration.ofMinutes(5)");

  @TempDir Path folder;

  @BeforeEach
  void twoVersionsOfAShop() throws IOException {
    for (String version : List.of("1", "2")) {
      Path to = folder.resolve("models/tiny").resolve(version);
      try (Stream<Path> files = Files.walk(Tiny.path())) {
        for (Path file : files.toList()) {
          Path copy = to.resolve(Tiny.path().relativize(file).toString());
          Files.createDirectories(copy.getParent());
          if (Files.isRegularFile(file)) {
            Files.copy(file, copy);
          }
        }
      }
    }
  }

  @Test
  void theOverviewIsAProgramThatRuns() throws Exception {
    List<String> blocks = blocks(OVERVIEW, IN_JAVADOC);
    assertTrue(blocks.size() >= 5, "the five steps have lost some: " + blocks.size());
    List<String> printed = run("Overview", blocks);
    assertEquals(Surroundings.items.length + 2, printed.size(), printed.toString());
    assertEquals(List.of("true", "1"), printed.subList(3, 5));
  }

  @Test
  void theReadmeIsAProgramThatRuns() throws Exception {
    List<String> blocks = blocks(README, IN_MARKDOWN);
    assertFalse(blocks.isEmpty(), "the README shows no Java any more");
    assertFalse(run("Readme", blocks).isEmpty());
  }

  @Test
  void theFirstPageOfTheProjectHasAProgramThatRuns() throws Exception {
    assertEquals(1, run("FirstPage", blocks(FIRST_PAGE, IN_MARKDOWN)).size());
  }

  @Test
  void everyOtherExampleCompiles() throws Exception {
    Map<String, String> programs = new TreeMap<>();
    try (Stream<Path> files = Files.list(SOURCES)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        List<String> blocks = blocks(file, IN_JAVADOC);
        for (int i = 0; i < blocks.size() && !file.equals(OVERVIEW); i++) {
          String name = file.getFileName().toString().replace(".java", "") + "Example" + i;
          programs.put(name, program(name, blocks.subList(i, i + 1)));
        }
      }
    }
    assertFalse(programs.isEmpty(), "no class has an example any more");
    compile(programs);
  }

  private List<String> run(String name, List<String> blocks) throws Exception {
    String program = program(name, blocks);
    for (Map.Entry<String, String> each : FITTED.entrySet()) {
      program = program.replace(each.getKey(), each.getValue());
    }
    program = program.replace("Path.of(\"models", "Path.of(\"" + folder.resolve("models"));
    compile(Map.of(name, program));
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    URL[] compiled = {folder.toUri().toURL()};
    try (URLClassLoader loader = new URLClassLoader(compiled, getClass().getClassLoader());
        Model model = Tiny.open()) {
      Surroundings.model = model;
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader.loadClass("org.acme." + name).getMethod("run").invoke(null);
    } finally {
      System.setOut(before);
    }
    return printed.toString(StandardCharsets.UTF_8).lines().toList();
  }

  private static String program(String name, List<String> blocks) {
    return """
        package org.acme;
        import static dev.twinrank.embedder.Surroundings.*;
        import dev.twinrank.core.*;
        import java.nio.file.*;
        import java.time.*;
        import java.util.*;
        public final class %s {
          public static void run() throws Exception {
        %s
          }
        }
        """
        .formatted(name, String.join("\n", blocks));
  }

  private void compile(Map<String, String> programs) throws IOException {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "-proc:none",
                "-d",
                folder.toString(),
                "-cp",
                System.getProperty("java.class.path")));
    for (Map.Entry<String, String> each : programs.entrySet()) {
      Path source = folder.resolve(each.getKey() + ".java");
      Files.writeString(source, each.getValue());
      arguments.add(source.toString());
    }
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    PrintStream messages = new PrintStream(said, true, StandardCharsets.UTF_8);
    int status =
        ToolProvider.findFirst("javac")
            .orElseThrow()
            .run(messages, messages, arguments.toArray(new String[0]));
    assertEquals(0, status, () -> said.toString(StandardCharsets.UTF_8));
  }

  private static List<String> blocks(Path file, Pattern pattern) {
    try {
      return pattern
          .matcher(Files.readString(file))
          .results()
          .map(found -> found.group(1).replaceAll("(?m)^ *\\* ?", ""))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
