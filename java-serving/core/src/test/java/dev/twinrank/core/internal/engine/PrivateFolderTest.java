package dev.twinrank.core.internal.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class PrivateFolderTest {
  private static final String OF_ANOTHER_PROCESS = PrivateFolder.PREFIX + "1-1-";

  @TempDir Path parent;

  /** Another process, which holds a folder until somebody ends it. */
  public static void main(String[] args) throws IOException {
    PrivateFolder held = PrivateFolder.create(Path.of(args[0]));
    Files.createFile(held.path().resolve("library"));
    System.out.println(held.path());
    assertEquals(-1, System.in.read());
  }

  @Test
  void aFolderStaysWhileItsOwnerLivesAndGoesWhenTheOwnerWasKilled() throws Exception {
    Process owner =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                PrivateFolderTest.class.getName(),
                parent.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader out = owner.inputReader(StandardCharsets.UTF_8)) {
      Path held = Path.of(assertNotNullLine(out.readLine()));
      PrivateFolder.create(parent).remove();
      assertTrue(Files.exists(held.resolve("library")), "a live process lost its folder");

      owner.destroyForcibly().waitFor();
      assertTrue(Files.exists(held.resolve("library")), "the test would prove nothing");
      PrivateFolder.create(parent).remove();
      assertFalse(Files.exists(held), "a killed process's folder stays for ever");
    } finally {
      owner.destroyForcibly();
    }
  }

  @Test
  void aFolderWithoutALockGoesOnlyWhenItIsOld() throws IOException {
    Path young = Files.createDirectory(parent.resolve(OF_ANOTHER_PROCESS + "young"));
    Path old = Files.createDirectory(parent.resolve(OF_ANOTHER_PROCESS + "old"));
    Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofHours(2))));
    PrivateFolder.create(parent).remove();
    assertTrue(Files.exists(young));
    assertFalse(Files.exists(old));
  }

  @Test
  void whatHasAnotherNameIsNeverTouched() throws IOException {
    Path other = Files.createDirectory(parent.resolve("onnxruntime-java123"));
    Files.createFile(other.resolve(PrivateFolder.LOCK));
    Path file = Files.createFile(parent.resolve(OF_ANOTHER_PROCESS + "file"));
    PrivateFolder.create(parent).remove();
    assertTrue(Files.exists(other.resolve(PrivateFolder.LOCK)));
    assertTrue(Files.exists(file));
  }

  @Test
  @DisabledOnOs(value = OS.WINDOWS, disabledReason = "links need a privilege there")
  void aLinkIsNotFollowed() throws IOException {
    Path target = Files.createDirectory(parent.resolve("target"));
    Files.createFile(target.resolve(PrivateFolder.LOCK));
    Files.createFile(target.resolve("precious"));
    Files.createSymbolicLink(parent.resolve(OF_ANOTHER_PROCESS + "link"), target);
    PrivateFolder.create(parent).remove();
    assertTrue(Files.exists(target.resolve("precious")));
  }

  /** A pipe has no lock to take, and opening one waits for whoever reads it: for ever. */
  @Test
  @Timeout(60)
  @DisabledOnOs(value = OS.WINDOWS, disabledReason = "there are no named pipes in folders")
  void aPipeInPlaceOfTheLockHoldsNobodyUp() throws Exception {
    Path folder = Files.createDirectory(parent.resolve(OF_ANOTHER_PROCESS + "pipe"));
    Path pipe = folder.resolve(PrivateFolder.LOCK);
    assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
    PrivateFolder.create(parent).remove();
    assertTrue(Files.exists(pipe));
  }

  @Test
  void oneOfTheSameProcessStays() throws IOException {
    PrivateFolder one = PrivateFolder.create(parent);
    PrivateFolder other = PrivateFolder.create(parent);
    assertTrue(Files.exists(one.path()));
    one.remove();
    other.remove();
  }

  private static String assertNotNullLine(String line) {
    assertNotNull(line, "the other process ended by itself");
    return line;
  }
}
