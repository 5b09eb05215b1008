package dev.twinrank.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/** Waits until weights are old enough for a record: two seconds after their last change. */
public final class Settled {
  private static final Duration AGE = Duration.ofMillis(2100);

  private Settled() {}

  /** Returns when the file's time of change is that long ago. */
  public static void await(Path file) throws IOException, InterruptedException {
    FileTime changed = (FileTime) Files.getAttribute(file, "unix:ctime", LinkOption.NOFOLLOW_LINKS);
    Duration left = Duration.between(Instant.now(), changed.toInstant().plus(AGE));
    TimeUnit.MILLISECONDS.sleep(Math.max(0, left.toMillis()));
  }
}
