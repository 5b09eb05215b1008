package dev.twinrank.core.internal.bundle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * What the file system says of a file without opening it: whoever replaces or changes the file
 * changes this.
 *
 * @param attributes the attributes by name
 * @param unix whether they are those that an installation record holds
 */
record FileFacts(Map<String, Object> attributes, boolean unix) {
  private static final String UNIX = "unix:dev,ino,size,lastModifiedTime,ctime";
  private static final String OTHERS = "fileKey,size,lastModifiedTime,creationTime";

  /** Looks at a file, not at what a link leads to. */
  static FileFacts of(Path file) throws IOException {
    boolean unix = file.getFileSystem().supportedFileAttributeViews().contains("unix");
    return new FileFacts(
        Files.readAttributes(file, unix ? UNIX : OTHERS, LinkOption.NOFOLLOW_LINKS), unix);
  }

  /** Returns the integers of an installation record by name; nothing on other file systems. */
  Optional<Map<String, String>> recorded() {
    if (!unix) {
      return Optional.empty();
    }
    Map<String, String> integers = new LinkedHashMap<>();
    integers.put("device", Long.toUnsignedString((long) attributes.get("dev")));
    integers.put("inode", Long.toUnsignedString((long) attributes.get("ino")));
    integers.put("size", Long.toString((long) attributes.get("size")));
    integers.put("mtime_ns", nanoseconds("lastModifiedTime"));
    integers.put("ctime_ns", nanoseconds("ctime"));
    return Optional.of(integers);
  }

  /** Returns when the file was last written to, replaced or renamed; only where it is unix. */
  Instant lastChange() {
    Instant written = ((FileTime) attributes.get("lastModifiedTime")).toInstant();
    Instant changed = ((FileTime) attributes.get("ctime")).toInstant();
    return written.isAfter(changed) ? written : changed;
  }

  private String nanoseconds(String attribute) {
    return Long.toString(((FileTime) attributes.get(attribute)).to(TimeUnit.NANOSECONDS));
  }
}
