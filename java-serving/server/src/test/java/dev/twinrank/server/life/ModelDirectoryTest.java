package dev.twinrank.server.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.server.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

class ModelDirectoryTest {
  @TempDir private Path root;

  private Models open() {
    return new ModelDirectory(root, Tiny.OPTIONS).open(() -> false).orElseThrow();
  }

  private List<String> problems() {
    return assertThrows(StartException.class, this::open).problems();
  }

  @Test
  void theNewestVersionByNumberIsServed() throws IOException {
    Tiny.copyTo(root.resolve("tiny/9"));
    Tiny.copyTo(root.resolve("tiny/10"));

    try (Models models = open()) {
      assertEquals(10, models.all().get(0).version());
    }
  }

  @Test
  void whatAWriterHasNotFinishedAndWhatIsNoVersionIsPassedOver() throws IOException {
    Tiny.copyTo(root.resolve("tiny/1"));
    Files.createDirectories(root.resolve("tiny/.tmp-2"));
    Files.createDirectories(root.resolve("tiny/02"));
    Files.createDirectories(root.resolve("tiny/latest"));
    Files.createDirectories(root.resolve(".tmp-other/1"));
    Files.writeString(root.resolve("README"), "not a model");

    try (Models models = open()) {
      assertEquals(List.of("tiny"), List.copyOf(models.names()));
      assertEquals(1, models.all().get(0).version());
    }
  }

  private List<String> warnings() {
    Logger logger = (Logger) LoggerFactory.getLogger(ModelDirectory.class);
    ListAppender<ILoggingEvent> lines = new ListAppender<>();
    lines.start();
    logger.addAppender(lines);
    try (Models models = open()) {
      assertEquals(List.of("tiny"), List.copyOf(models.names()));
    } finally {
      logger.detachAppender(lines);
    }
    return lines.list.stream()
        .filter(line -> line.getLevel() == Level.WARN)
        .map(ILoggingEvent::getFormattedMessage)
        .toList();
  }

  @Test
  void whatLiesBesideAVersionIsPassedOverWithoutAWord() throws IOException {
    Tiny.copyTo(root.resolve("tiny/1"));
    Files.createDirectories(root.resolve("tiny/1.attest"));
    Files.createDirectories(root.resolve("tiny/12.attest"));
    Files.createDirectories(root.resolve("tiny/.tmp-2"));
    Files.writeString(root.resolve("tiny/1.verified.json"), "{}");
    assertEquals(List.of(), warnings());

    Files.createDirectories(root.resolve("tiny/01.attest\nINFO ready\u001b[2J"));
    assertEquals(
        List.of(
            root.resolve("tiny/01.attest INFO ready [2J")
                + " is passed over: its name is no version (a positive integer)"),
        warnings());
  }

  @Test
  void everyAllowedFindingIsALineOfTheLogAndNoMore() throws IOException {
    Tiny.allowing(root.resolve("tiny/1"), "batch_variant");

    List<String> warnings = warnings();

    assertEquals(1, warnings.size(), warnings.toString());
    assertTrue(
        warnings
            .get(0)
            .contains("although batch_variant was found (d); it was allowed because: r WARN s"),
        warnings.get(0));
  }

  @Test
  void everyProblemOfEveryBundleIsReported() throws IOException {
    Tiny.copyTo(root.resolve("tiny/1"));
    Tiny.copyTo(root.resolve("other/1"));
    Tiny.copyTo(root.resolve("cut/1"));
    Files.delete(root.resolve("cut/1/manifest.sha256"));
    Tiny.copyTo(root.resolve("tiny/3"));
    Files.writeString(root.resolve("tiny/3/goldens/rankings.jsonl"), "x");
    Files.createDirectories(root.resolve("hollow"));

    List<String> problems = problems();

    assertEquals(4, problems.size(), problems.toString());
    assertTrue(
        problems.get(0).contains("cut") && problems.get(0).contains("file_missing"),
        problems.get(0));
    assertTrue(
        problems.get(1).contains("hollow") && problems.get(1).contains("no version"),
        problems.get(1));
    assertTrue(
        problems.get(2).contains("other") && problems.get(2).contains("'tiny'"), problems.get(2));
    assertTrue(
        problems.get(3).contains("tiny/3") && problems.get(3).contains("_mismatch"),
        problems.get(3));
  }

  @Test
  void aBundleOfAnotherHostClassIsServedOnlyByPermission() {
    ModelDirectory bits = new ModelDirectory(Tiny.MODELS, ModelOptions.defaults());
    StartException e = assertThrows(StartException.class, () -> bits.open(() -> false));
    assertTrue(e.getMessage().contains("host_class_mismatch"), e.getMessage());
  }

  @Test
  void anEmptyDirectoryAndOneThatIsNotThereAreNoStart() {
    assertTrue(problems().get(0).contains("holds no model"));
    StartException e =
        assertThrows(
            StartException.class,
            () -> new ModelDirectory(root.resolve("absent"), Tiny.OPTIONS).open(() -> false));
    assertTrue(e.getMessage().contains("absent"), e.getMessage());
  }

  @Test
  void aBundleInThePlaceOfTheDirectoryAboveItIsNoStart() throws IOException {
    Tiny.copyTo(root.resolve("1"));
    root = root.resolve("1");
    assertTrue(
        problems().get(0).contains("--models names the directory above the models"),
        problems().get(0));
  }

  @Test
  void loadingEndsWhenItIsCancelled() throws IOException {
    Tiny.copyTo(root.resolve("tiny/1"));
    assertTrue(new ModelDirectory(root, Tiny.OPTIONS).open(() -> true).isEmpty());
  }
}
