package dev.twinrank.server.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The files; what is in them is checked by who scores them again. */
class RequestLogTest {
  @TempDir Path folder;

  private List<Path> files() throws IOException {
    try (Stream<Path> found = Files.list(folder)) {
      return found.sorted().toList();
    }
  }

  @Test
  void linesStayWholeAndTheOldestFilesGo() throws IOException {
    try (LogFiles log = new LogFiles(folder, 800)) {
      for (int i = 0; i < 100; i++) {
        log.write("%049d\n".formatted(i).getBytes(StandardCharsets.US_ASCII));
      }
    }

    long bytes = 0;
    int next = -1;
    for (Path file : files()) {
      bytes += Files.size(file);
      for (String line : Files.readAllLines(file)) {
        assertEquals(49, line.length());
        int number = Integer.parseInt(line);
        assertTrue(next < 0 || number == next, line);
        next = number + 1;
      }
    }
    assertEquals(100, next, "the newest are kept");
    assertTrue(bytes <= 800 && bytes >= 600, "held " + bytes);
  }

  @Test
  void aLineLongerThanAFileIsWrittenAlone() throws IOException {
    try (LogFiles log = new LogFiles(folder, 8)) {
      log.write("first\n".getBytes(StandardCharsets.US_ASCII));
      log.write("second\n".getBytes(StandardCharsets.US_ASCII));
    }

    assertEquals(1, files().size());
    assertEquals("second\n", Files.readString(files().get(0)));
  }

  @Test
  void aFolderThatIsAFileIsRefused() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "x");

    assertThrows(IOException.class, () -> new LogFiles(file, 100));
  }
}
