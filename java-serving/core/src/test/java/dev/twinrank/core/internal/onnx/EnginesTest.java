package dev.twinrank.core.internal.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnginesTest {
  private static final int FROM_A_LATER_CENTURY = 999;

  private record Fake(String name, int preference, Optional<String> unavailable)
      implements EngineProvider {
    static Fake of(String name, int preference) {
      return new Fake(name, preference, Optional.empty());
    }

    Fake without(String what) {
      return new Fake(name, preference, Optional.of(what));
    }

    @Override
    public Engine start() {
      throw new AssertionError("nothing starts here");
    }
  }

  private static final Fake FAST = Fake.of("fast", 10);
  private static final Fake PLAIN = Fake.of("plain", 0);

  @TempDir Path folder;

  private static Engines.Choice choose(String wanted, EngineProvider... providers) {
    return Engines.choose(new Engines.Search(List.of(providers), List.of()), wanted);
  }

  @Test
  void thePreferredOfThoseThatCanBeUsedRuns() {
    assertEquals(
        List.of(
            new Engines.Found("fast", true, "preferred of those that can be used"),
            new Engines.Found("plain", false, "fast is preferred")),
        choose("auto", FAST, PLAIN).found());
  }

  @Test
  void anEngineThatCannotBeUsedIsSkippedAndSaysWhy() {
    assertEquals(
        List.of(
            new Engines.Found("fast", false, "it needs a flag"),
            new Engines.Found("plain", true, "preferred of those that can be used")),
        choose("auto", FAST.without("it needs a flag"), PLAIN).found());
  }

  @Test
  void theOneThatIsNamedRuns() {
    assertEquals(
        List.of(
            new Engines.Found("fast", false, "the system property twinrank.engine names plain"),
            new Engines.Found("plain", true, "the system property twinrank.engine names plain")),
        choose("plain", FAST, PLAIN).found());
  }

  @Test
  void theOneThatIsNamedIsNeverReplaced() {
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () -> choose("fast", FAST.without("it needs a flag"), PLAIN));
    assertEquals(
        "the engine 'fast' cannot be used in this process: it needs a flag", e.getMessage());
  }

  @Test
  void anUnknownNameIsAnsweredWithThoseThatThereAre() {
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> choose("gpu", FAST, PLAIN));
    assertEquals(
        "the system property twinrank.engine is 'gpu'; this process can say fast, plain, auto",
        e.getMessage());
  }

  @Test
  void anEngineWhoseArtifactIsAbsentIsAnsweredWithTheArtifact() {
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> choose("ffm", FAST, PLAIN));
    assertEquals(
        "the system property twinrank.engine is 'ffm'; this process can say fast, plain, auto; "
            + "put the artifact dev.twinrank:twinrank-ffm on its path",
        e.getMessage());
  }

  @Test
  void providersThatThisJvmCannotLoadAreReportedAndTheRestIsUsed() throws IOException {
    // The first eight bytes of a class file name its release; the JVM reads no further.
    byte[] newer = {
      (byte) 0xCA,
      (byte) 0xFE,
      (byte) 0xBA,
      (byte) 0xBE,
      0,
      0,
      (byte) (FROM_A_LATER_CENTURY >> 8),
      (byte) FROM_A_LATER_CENTURY
    };
    Files.createDirectories(folder.resolve("future"));
    Files.write(folder.resolve("future/Provider.class"), newer);
    Path services = folder.resolve("META-INF/services");
    Files.createDirectories(services);
    Files.write(
        services.resolve(EngineProvider.class.getName()),
        ("absent.Provider\nfuture.Provider\n" + EnginesTest.class.getName() + "\n")
            .getBytes(StandardCharsets.UTF_8));
    try (URLClassLoader loader =
        new URLClassLoader(
            new URL[] {folder.toUri().toURL()}, EnginesTest.class.getClassLoader())) {
      Engines.Choice choice = Engines.choose(Engines.search(loader), "auto");
      List<Engines.Found> broken =
          choice.found().stream().filter(each -> each.name().equals("unknown")).toList();
      assertEquals(3, broken.size());
      assertTrue(broken.get(0).reason().contains("absent.Provider not found"));
      assertTrue(broken.get(1).reason().contains("class file version 999"));
      assertTrue(broken.get(2).reason().contains("not a subtype"));
      assertTrue(choice.found().stream().anyMatch(Engines.Found::chosen));
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class, () -> Engines.choose(Engines.search(loader), "next"));
      assertTrue(e.getMessage().contains("class file version 999"), e.getMessage());
    }
  }
}
