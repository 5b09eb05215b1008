package dev.twinrank.server.api;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bearer tokens of a file, one a line: more than one while clients change over. The file is
 * looked at again as it changes; where the new content is no list of tokens the old one holds.
 * Thread-safe.
 *
 * <p>What is kept are digests, so that comparing takes the same time whatever is compared, and no
 * message can quote a token.
 */
public final class Tokens {
  private static final Logger LOG = LoggerFactory.getLogger(Tokens.class);
  // RFC 6750's b64token; shorter ones can be guessed.
  private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9._~+/-]{16,512}=*");
  private static final long MOST_BYTES = 64 << 10;
  private static final long LOOK_NANOS = 1_000_000_000L;
  private static final String SCHEME = "bearer ";

  private final Path file;
  private List<byte[]> digests;
  private FileTime modified;
  private long looked = System.nanoTime();

  private Tokens(Path file) throws IOException {
    this.file = file;
    this.modified = Files.getLastModifiedTime(file);
    this.digests = read(file);
  }

  /**
   * Reads a file.
   *
   * @throws IllegalArgumentException if it is none, or holds no token, or a line that is none; the
   *     message says which line, and not what it holds
   */
  public static Tokens of(Path file) {
    try {
      return new Tokens(file);
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException("no file " + file, e);
    } catch (IOException e) {
      throw new IllegalArgumentException(file + " cannot be read: " + e, e);
    }
  }

  private static List<byte[]> read(Path file) throws IOException {
    if (Files.size(file) > MOST_BYTES) {
      throw new IllegalArgumentException(
          "%s is longer than %d bytes; it holds a token a line".formatted(file, MOST_BYTES));
    }
    List<byte[]> digests = new ArrayList<>();
    int number = 0;
    for (String line : Files.readString(file, StandardCharsets.ISO_8859_1).lines().toList()) {
      number++;
      if (line.isEmpty()) {
        continue;
      }
      if (!TOKEN.matcher(line).matches()) {
        throw new IllegalArgumentException(
            "line %d of %s is no token: 16 to 512 of A-Z a-z 0-9 . _ ~ + / -, for example what openssl rand -hex 32 prints"
                .formatted(number, file));
      }
      digests.add(digest(line));
    }
    if (digests.isEmpty()) {
      throw new IllegalArgumentException(file + " holds no token; write one a line");
    }
    return List.copyOf(digests);
  }

  private static byte[] digest(String token) {
    try {
      return MessageDigest.getInstance("SHA-256")
          .digest(token.getBytes(StandardCharsets.ISO_8859_1));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  /**
   * Returns whether the value of a header {@code Authorization} brings one of the tokens.
   *
   * @param authorization null if there is none
   */
  public boolean accepts(String authorization) {
    if (authorization == null
        || authorization.length() <= SCHEME.length()
        || !authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
      return false;
    }
    byte[] given = digest(authorization.substring(SCHEME.length()).strip());
    boolean found = false;
    for (byte[] each : current()) {
      found |= MessageDigest.isEqual(each, given);
    }
    return found;
  }

  private synchronized List<byte[]> current() {
    long now = System.nanoTime();
    if (now - looked >= LOOK_NANOS) {
      looked = now;
      look();
    }
    return digests;
  }

  /** Reads the file again if it has changed; {@link #accepts} does so once a second. */
  public synchronized void look() {
    try {
      FileTime found = Files.getLastModifiedTime(file);
      if (!found.equals(modified)) {
        modified = found;
        digests = read(file);
        LOG.info("{} was read again: {} tokens", file, digests.size());
      }
    } catch (IOException | IllegalArgumentException e) {
      LOG.warn("the tokens of before hold: {}", e.toString());
    }
  }
}
