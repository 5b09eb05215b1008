package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The other tests run on the class path; here the same jars are modules. */
class ModuleTest {
  @TempDir Path folder;

  @Test
  void opensAndRanksOnTheModulePathWithoutAnyOption() throws Exception {
    String modules =
        entries(
            entry ->
                entry.endsWith(File.separator + "classes")
                    || entry.matches(".*(onnxruntime|jackson-core|hash4j)-[0-9.]+\\.jar"));
    assertEquals(
        List.of(
            "module dev.twinrank.core",
            "exports [dev.twinrank.core, dev.twinrank.core.internal.engine to"
                + " [dev.twinrank.ffm, dev.twinrank.probe], dev.twinrank.core.internal.jni to"
                + " [dev.twinrank.probe], dev.twinrank.core.internal.proto to [dev.twinrank.probe],"
                + " dev.twinrank.core.internal.trees to [dev.twinrank.vector]]",
            "internals closed",
            "ranked 2"),
        run("--module-path", modules, "--add-modules", "dev.twinrank.core"));
  }

  private List<String> run(String... options) throws IOException, InterruptedException {
    // The embedder alone: a package of the module must not be on the class path too.
    Path compiled = Path.of(entries(entry -> entry.endsWith("test-classes")));
    Path application = folder.resolve("dev/twinrank/embedder/Embedder.class");
    Files.createDirectories(application.getParent());
    Files.copy(compiled.resolve(folder.relativize(application).toString()), application);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", folder.toString(), "dev.twinrank.embedder.Embedder"));
    command.addAll(
        List.of(Tiny.path().toString(), new String(Tiny.request(2), StandardCharsets.UTF_8)));
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

  private static String entries(Predicate<String> wanted) {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(wanted)
        .collect(Collectors.joining(File.pathSeparator));
  }
}
