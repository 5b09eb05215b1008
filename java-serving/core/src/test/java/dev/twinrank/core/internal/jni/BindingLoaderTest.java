package dev.twinrank.core.internal.jni;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Runtimes;
import dev.twinrank.core.internal.engine.Natives;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A process loads the binding once, so every case is a process. */
class BindingLoaderTest {
  private static final String STARTED = "onnxruntime 1.29.0";

  @TempDir Path folder;

  /** Starts the runtime, says how that went, and waits to be killed. */
  public static void main(String[] args) throws IOException {
    try {
      System.out.println(Runtimes.runtime());
      System.out.println("property " + System.getProperty(Natives.BINDING_PROPERTY));
    } catch (IllegalStateException e) {
      System.out.println(e.getMessage().replace('\n', ' '));
      IllegalStateException again =
          assertThrows(IllegalStateException.class, Runtimes::runtime, "refused once for all");
      assertEquals(e.getMessage(), again.getMessage());
    }
    if (args.length > 0) {
      assertEquals(-1, System.in.read());
    }
  }

  @Test
  @DisabledOnOs(value = OS.WINDOWS, disabledReason = "a loaded library keeps its file there")
  void nothingIsOnDiskWhileTheProcessRunsNorWhenItIsKilled() throws Exception {
    Path tmp = Files.createDirectory(folder.resolve("tmp"));
    Process process = start(List.of("-Djava.io.tmpdir=" + tmp), "wait");
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      assertEquals(STARTED, out.readLine());
      assertEquals("property null", out.readLine());
      assertEquals(List.of(), below(tmp));
      process.destroyForcibly().waitFor();
      assertEquals(List.of(), below(tmp));
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void theNamedFolderIsExtractedToAndTheUsualOneLeftAlone() throws Exception {
    Path tmp = Files.createDirectory(folder.resolve("tmp"));
    Path missing = folder.resolve("missing");
    String said =
        run("-Djava.io.tmpdir=" + tmp, "-D" + Natives.FOLDER_PROPERTY + "=" + missing).get(0);
    assertTrue(said.contains("cannot be written to " + missing), said);
    assertEquals(List.of(), below(tmp));
  }

  @Test
  void aMissingFolderForTemporaryFilesIsNamed() throws Exception {
    Path missing = folder.resolve("missing");
    String said = run("-Djava.io.tmpdir=" + missing).get(0);
    assertTrue(said.contains(missing + ", the folder that java.io.tmpdir names"), said);

    said = run("-Djava.io.tmpdir=" + missing, "-D" + Natives.FOLDER_PROPERTY + "=" + folder).get(0);
    assertTrue(said.contains("makes a folder in java.io.tmpdir (" + missing + ")"), said);
    assertEquals(List.of(), below(folder));
  }

  @Test
  void librariesInPlaceAreLoadedWhereTheyLieByEitherName() throws Exception {
    Path tmp = Files.createDirectory(folder.resolve("tmp"));
    System.setProperty(Natives.FOLDER_PROPERTY, folder.toString());
    Natives natives = Natives.prepare();
    System.clearProperty(Natives.FOLDER_PROPERTY);
    try {
      for (String property : List.of(Natives.GIVEN_PROPERTY, Natives.BINDING_PROPERTY)) {
        List<String> said =
            run("-Djava.io.tmpdir=" + tmp, "-D" + property + "=" + natives.folder());
        assertEquals(STARTED, said.get(0), property);
        assertEquals(
            "property " + (property.equals(Natives.BINDING_PROPERTY) ? natives.folder() : "null"),
            said.get(1));
        assertTrue(Files.exists(natives.runtime()), property);
      }
    } finally {
      natives.discard();
    }
  }

  @Test
  void aFolderOfSomethingElseIsExplained() throws Exception {
    Files.writeString(folder.resolve(System.mapLibraryName("onnxruntime")), "no library");
    Files.writeString(folder.resolve(System.mapLibraryName("onnxruntime4j_jni")), "no library");
    String said = run("-D" + Natives.GIVEN_PROPERTY + "=" + folder).get(0);
    assertTrue(said.startsWith("ONNX Runtime could not be loaded from " + folder + ": "), said);
    assertTrue(said.contains("glibc 2.28"), said);
  }

  private List<String> run(String... options) throws IOException, InterruptedException {
    Process process = start(List.of(options));
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = out.lines().toList();
      assertEquals(0, process.waitFor());
      return lines;
    } finally {
      process.destroyForcibly();
    }
  }

  private static Process start(List<String> options, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(BindingLoaderTest.class.getName());
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static List<Path> below(Path of) throws IOException {
    try (Stream<Path> found = Files.walk(of)) {
      return found.filter(path -> !path.equals(of)).sorted(Comparator.naturalOrder()).toList();
    }
  }
}
