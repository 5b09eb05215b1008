package dev.twinrank.core.internal.engine;

import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the system said in real failures, and what a reader is told beside it. */
class NativeFailureTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "Native Library /n/libonnxruntime.so already loaded in another classloader"
            + "| Let one class loader that all applications share",
        "/n/libonnxruntime.so: failed to map segment from shared object"
            + "| is mounted noexec. Name a folder",
        "/lib64/libc.so.6: version `GLIBC_2.28' not found (required by /n/libonnxruntime.so)"
            + "| Linux with glibc 2.28 or newer",
        "/n/libonnxruntime4j_jni.so: symbol OrtGetApiBase version VERS_1.29.0 not defined in file"
            + " libonnxruntime.so.1 with link time reference"
            + "| Another release of ONNX Runtime is in this process",
      })
  void whatTheLinkerSaysIsKeptAndExplained(String said, String explained) {
    Error failure = new UnsatisfiedLinkError(said);
    IllegalStateException refusal =
        NativeFailure.of(new ExceptionInInitializerError(failure), "/n");
    assertTrue(refusal.getMessage().contains("loaded from /n: " + said), refusal.getMessage());
    assertTrue(refusal.getMessage().contains(explained), refusal.getMessage());
    assertSame(failure, refusal.getCause().getCause());
  }

  @Test
  void theFlagOfNewerJdksIsNamed() {
    Error failure =
        new ExceptionInInitializerError(
            new IllegalCallerException("Illegal native access from an unnamed module (x.jar)"));
    String said = NativeFailure.of(failure, "/n").getMessage();
    assertTrue(said.contains("--enable-native-access=ALL-UNNAMED"), said);
  }

  @Test
  void theFolderThatTheBindingNeedsIsNamed() {
    String said =
        NativeFailure.of(new IOException("/tmp/x: Read-only file system"), "/n").getMessage();
    assertTrue(
        said.contains("in java.io.tmpdir (" + System.getProperty("java.io.tmpdir") + ")"), said);
  }
}
