package dev.twinrank.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which engine an application gets, and what it is told. */
class ChoiceTest {
  private static final String GRANT = "--enable-native-access=ALL-UNNAMED";
  private static final String RUNTIME = "onnxruntime 1.29.0";
  private static final String LACKING =
      "it may not call native code; start java with --enable-native-access=";

  @TempDir Path folder;

  @Test
  void isTakenWhereItMayCallNativeCodeAndComputesWhatTheOtherComputes() throws Exception {
    List<String> ours = Fork.facts(folder, Fork.java(), GRANT);
    List<String> theirs = Fork.facts(folder, Fork.java(), GRANT, "-Dtwinrank.engine=jni");
    assertEquals(
        List.of(
            "ffm true: preferred of those that can be used",
            "jni false: ffm is preferred",
            "ffm, " + RUNTIME),
        ours.subList(0, 3));
    assertEquals(
        List.of(
            "ffm false: the system property twinrank.engine names jni",
            "jni true: the system property twinrank.engine names jni",
            "jni, " + RUNTIME),
        theirs.subList(0, 3));
    assertEquals(theirs.get(3), ours.get(3), "the host class");
  }

  @Test
  void isSkippedWhereItMayNotCallNativeCodeAndSaysWhichFlagIsMissing() throws Exception {
    assertEquals(
        List.of(
            "ffm false: " + LACKING + "ALL-UNNAMED",
            "jni true: preferred of those that can be used",
            "jni, " + RUNTIME),
        Fork.facts(folder, Fork.java()).subList(0, 3));
  }

  @Test
  void isRefusedWithTheMissingFlagWhereItIsNamedAndMayNotCallNativeCode() throws Exception {
    assertEquals(
        List.of("the engine 'ffm' cannot be used in this process: " + LACKING + "ALL-UNNAMED"),
        Fork.facts(folder, Fork.java(), "-Dtwinrank.engine=ffm"));
  }

  @Test
  void isAModuleThatIsGrantedTheRightByItsName() throws Exception {
    assertEquals(
        List.of(
            "ffm true: preferred of those that can be used",
            "jni false: ffm is preferred",
            "ffm, " + RUNTIME),
        Fork.modularFacts(folder, Fork.java(), "--enable-native-access=dev.twinrank.ffm")
            .subList(0, 3));
    assertEquals(
        "ffm false: " + LACKING + "dev.twinrank.ffm",
        Fork.modularFacts(folder, Fork.java()).get(0));
  }

  @Test
  void olderJvmsLoadTheJarAndAreToldWhatTheyLack() throws Exception {
    String older = System.getProperty("twinrank.java.build");
    assumeTrue(
        System.getProperty("twinrank.java.build.release").compareTo("22") < 0,
        "Maven runs on a JVM that is not older");
    String release = System.getProperty("twinrank.java.build.release");
    List<String> expected =
        List.of(
            "ffm false: it needs Java 22 or newer, and this is Java " + release,
            "jni true: preferred of those that can be used",
            "jni, " + RUNTIME);
    assertEquals(expected, Fork.facts(folder, Fork.java(older)).subList(0, 3));
    assertEquals(expected, Fork.modularFacts(folder, Fork.java(older)).subList(0, 3));
  }

  @Test
  void providerAndDescriptorAreJava17AndTheRestIsJava22() throws IOException {
    assertEquals(61, classFileVersion("/module-info.class"));
    assertEquals(61, classFileVersion("FfmEngineProvider.class"));
    assertEquals(66, classFileVersion("FfmEngine.class"));
  }

  private static int classFileVersion(String resource) throws IOException {
    Path classes =
        Path.of(
            FfmEngineProvider.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    Path file =
        resource.startsWith("/")
            ? classes.resolve(resource.substring(1))
            : classes.resolve("dev/twinrank/ffm").resolve(resource);
    try (InputStream in = Files.newInputStream(file);
        DataInputStream data = new DataInputStream(in)) {
      data.skipNBytes(6);
      return data.readUnsignedShort();
    }
  }
}
