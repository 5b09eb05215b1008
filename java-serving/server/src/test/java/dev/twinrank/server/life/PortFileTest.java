package dev.twinrank.server.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PortFileTest {
  @TempDir private Path folder;

  @Test
  void itIsThereWholeUntilItIsClosed() throws IOException {
    Path file = folder.resolve("port");
    PortFile written = PortFile.write(file, 4711);
    assertEquals("4711\n", Files.readString(file));

    written.close();
    assertFalse(Files.exists(file));
    written.close();
  }

  @Test
  void theFileOfAnotherServerIsLeftToIt() throws IOException {
    Path file = folder.resolve("port");
    PortFile first = PortFile.write(file, 4711);
    PortFile second = PortFile.write(file, 4712);

    first.close();
    assertEquals("4712\n", Files.readString(file));
    second.close();
    assertFalse(Files.exists(file));
  }
}
