package dev.twinrank.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.trees.Forest;
import dev.twinrank.core.internal.trees.TreeKernels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What the provider says of a JVM. That its kernels give the plain one's bits is what the core's
 * own TreeKernelsTest checks of all kernels, which the build runs here too.
 */
class VectorKernelProviderTest {
  private static final String FLAG = "--add-modules=jdk.incubator.vector";

  private static Forest stump() {
    return new Forest(
        false,
        1,
        1,
        new int[] {0},
        new int[] {0},
        new int[] {0},
        new byte[] {Forest.LEQ},
        new double[] {1},
        new int[] {~0},
        new int[] {~1},
        new boolean[] {true},
        new int[] {0, 0},
        new double[0],
        new double[] {10, 20});
  }

  private static String asked(String home, String... options) throws Exception {
    Process process =
        new ProcessBuilder(
                Stream.of(
                        Stream.of(Path.of(home, "bin", "java").toString()),
                        Stream.of(options),
                        Stream.of("-cp", System.getProperty("java.class.path")),
                        Stream.of("dev.twinrank.vector.Asked"))
                    .flatMap(each -> each)
                    .toList())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor());
    return said;
  }

  @Test
  void theCoreFindsTheKernelAndPutsItFirst() {
    assertEquals(Optional.empty(), new VectorKernelProvider().unavailable());
    assertEquals("vector-bitvector", TreeKernels.of(stump()).get(0).name());
  }

  @Test
  void aForestThatDoesNotFitGetsNoKernel() {
    int splits = 1024;
    int[] trues = new int[splits];
    int[] falses = new int[splits];
    for (int i = 0; i < splits; i++) {
      trues[i] = ~i;
      falses[i] = i + 1 < splits ? i + 1 : ~splits;
    }
    Forest large =
        new Forest(
            false,
            1,
            1,
            new int[1],
            new int[1],
            new int[splits],
            new byte[splits],
            new double[splits],
            trues,
            falses,
            new boolean[splits],
            new int[splits + 1],
            new double[0],
            new double[splits + 1]);
    assertEquals(List.of(), new VectorKernelProvider().kernels(large));
  }

  @Test
  void withoutTheFlagItSaysWhichOne() throws Exception {
    assertEquals(
        "it needs the flag --add-modules jdk.incubator.vector",
        asked(System.getProperty("java.home")));
    assertEquals("nothing", asked(System.getProperty("java.home"), FLAG));
  }

  @Test
  void anOlderJvmLoadsTheProviderAndIsToldWhatItLacks() throws Exception {
    String said = asked(System.getProperty("twinrank.java.build"));
    int release = Integer.getInteger("twinrank.java.build.release");
    assertTrue(
        release >= 25 || said.equals("it needs Java 25 or newer, and this is Java " + release),
        said);
  }
}
