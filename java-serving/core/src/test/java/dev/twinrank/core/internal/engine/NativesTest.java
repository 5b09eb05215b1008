package dev.twinrank.core.internal.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NativesTest {
  private static final String GLIBC = "7f00-7f01 r-xp 0 08:01 1 /usr/lib64/ld-linux-x86-64.so.2";
  private static final String MUSL = "7f00-7f01 r-xp 0 08:01 1 /lib/ld-musl-x86_64.so.1";

  @TempDir Path folder;

  @BeforeEach
  void extractHere() {
    System.setProperty(Natives.FOLDER_PROPERTY, folder.toString());
  }

  @AfterEach
  void forget() {
    System.clearProperty(Natives.FOLDER_PROPERTY);
    System.clearProperty(Natives.GIVEN_PROPERTY);
  }

  @Test
  void whatIsExtractedIsWhatTheJarHoldsAndGoesWhenItIsDiscarded() throws IOException {
    Natives natives = Natives.prepare();
    NativePlatform platform = NativePlatform.current();
    for (String library : platform.libraries()) {
      try (InputStream held = ClassLoader.getSystemResourceAsStream(platform.resource(library))) {
        assertArrayEquals(
            held.readAllBytes(), Files.readAllBytes(natives.folder().resolve(library)), library);
      }
    }
    assertEquals(folder, natives.folder().getParent());
    assertTrue(Files.isReadable(natives.runtime()));
    natives.discard();
    natives.discard();
    assertEquals(List.of(), entries(folder));
  }

  @Test
  @DisabledOnOs(value = OS.WINDOWS, disabledReason = "a user's temporary folder is private there")
  void onlyTheUserMayEnterOrReadAndNamesAreNeverTheSame() throws IOException {
    Natives one = Natives.prepare();
    Natives other = Natives.prepare();
    assertFalse(one.folder().equals(other.folder()));
    assertEquals("rwx------", permissions(one.folder()));
    for (Path file : entries(one.folder())) {
      assertEquals("rw-------", permissions(file), file.toString());
    }
    one.discard();
    other.discard();
  }

  @Test
  void aFolderThatCannotBeUsedIsNamedWithTheRemedy() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    for (Path bad : List.of(folder.resolve("missing"), file)) {
      System.setProperty(Natives.FOLDER_PROPERTY, bad.toString());
      String said = assertThrows(IllegalStateException.class, Natives::prepare).getMessage();
      assertTrue(said.contains(bad.toString()), said);
      assertTrue(said.contains("-Dtwinrank.native.dir="), said);
      assertTrue(said.contains("-Dtwinrank.native.path="), said);
    }
  }

  @Test
  void aGivenFolderIsUsedAsItIsAndStays() throws IOException {
    Path given = Files.createDirectory(folder.resolve("given"));
    Path runtime = Files.createFile(given.resolve(System.mapLibraryName("onnxruntime")));
    System.setProperty(Natives.GIVEN_PROPERTY, given.toString());
    String said = assertThrows(IllegalStateException.class, Natives::prepare).getMessage();
    assertTrue(said.contains(given.toString()), said);
    assertTrue(said.contains("no readable " + System.mapLibraryName("onnxruntime4j_jni")), said);

    Files.createFile(given.resolve(System.mapLibraryName("onnxruntime4j_jni")));
    Natives natives = Natives.prepare();
    assertEquals(given, natives.folder());
    assertEquals(runtime, natives.runtime());
    natives.discard();
    assertEquals(2, entries(given).size());
  }

  @ParameterizedTest
  @CsvSource({
    "Linux, amd64, linux-x64, libonnxruntime.so",
    "Linux, aarch64, linux-aarch64, libonnxruntime.so",
    "Mac OS X, aarch64, osx-aarch64, libonnxruntime.dylib",
    "Windows 11, amd64, win-x64, onnxruntime.dll",
  })
  void thePlatformsOfTheJarAreKnown(String os, String arch, String jarFolder, String runtime) {
    NativePlatform platform = NativePlatform.of(os, arch, GLIBC);
    assertEquals(jarFolder, platform.folder());
    assertEquals(runtime, platform.libraries().get(0));
    for (String library : platform.libraries()) {
      assertTrue(
          ClassLoader.getSystemResource(platform.resource(library)) != null,
          () -> "the jar has no " + library + " for " + jarFolder);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "Linux, i386, Linux on i386",
    "Linux, ppc64le, Linux on ppc64le",
    "Mac OS X, x86_64, Mac OS X on x86_64",
    "Windows 11, aarch64, Windows 11 on aarch64",
    "FreeBSD, amd64, FreeBSD on amd64",
  })
  void anyOtherPlatformIsNamedBesideThoseThatAreSupported(String os, String arch, String named) {
    refused(named, os, arch, GLIBC);
  }

  @Test
  void aJvmOnMuslIsNamed() {
    refused("Linux on amd64 with musl (Alpine)", "Linux", "amd64", GLIBC + "\n" + MUSL);
  }

  private static void refused(String named, String os, String arch, String mapped) {
    String said =
        assertThrows(IllegalStateException.class, () -> NativePlatform.of(os, arch, mapped))
            .getMessage();
    assertTrue(said.contains("cannot be loaded on " + named + ": "), said);
    assertTrue(said.contains(NativePlatform.SUPPORTED), said);
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static List<Path> entries(Path of) throws IOException {
    try (Stream<Path> found = Files.list(of)) {
      return found.toList();
    }
  }
}
