package dev.twinrank.core.internal.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * Calls something on a thread whose stack is deep enough for ONNX Runtime to start on. Thread-safe.
 *
 * <p>While it creates its environment, ONNX Runtime 1.29.0 matches the process's whole command line
 * with a recursive {@code std::regex}, at about 300 bytes of native stack a character (measured). A
 * class path of 4,000 characters, which is some forty jars, overflows a thread of 1 MiB, the JVM's
 * default, and the process dies of SIGSEGV without a word.
 */
public final class RoomyThread {
  private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");
  private static final long USUAL_STACK = 1 << 20;
  private static final long STACK_A_CHARACTER = 512;

  private RoomyThread() {}

  /** Returns what the call returns, or throws the unchecked exception or error that it throws. */
  public static <T> T call(Supplier<T> call) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread thread =
        new Thread(
            null,
            () -> {
              try {
                result.complete(call.get());
              } catch (RuntimeException | Error e) {
                result.completeExceptionally(e);
              }
            },
            "twinrank-start",
            USUAL_STACK + STACK_A_CHARACTER * commandLineLength());
    thread.setDaemon(true);
    thread.start();
    try {
      return result.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) e.getCause();
    }
  }

  // Where there is no such file, the runtime has nothing to match either.
  private static int commandLineLength() {
    try {
      return Files.readAllBytes(COMMAND_LINE).length;
    } catch (IOException e) {
      return 0;
    }
  }
}
