package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** ONNX Runtime's start takes native stack for every character of the command line. */
class LongCommandLineTest {
  private static final int MORE_THAN_A_USUAL_STACK_TAKES = 100_000;

  /** The process under test. */
  public static void main(String[] args) {
    System.out.println(Runtimes.runtime());
  }

  @Test
  void theRuntimeStartsHoweverLongTheClassPathIs() throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-cp",
                    System.getProperty("java.class.path"),
                    LongCommandLineTest.class.getName(),
                    "x".repeat(MORE_THAN_A_USUAL_STACK_TAKES)))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      assertEquals("onnxruntime 1.29.0", out.readLine());
      assertEquals(0, process.waitFor());
    } finally {
      process.destroyForcibly();
    }
  }
}
