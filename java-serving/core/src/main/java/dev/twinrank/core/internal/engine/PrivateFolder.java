package dev.twinrank.core.internal.engine;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Set;

/**
 * A folder that only this user can enter, that nobody can foresee, and that some later process
 * removes if this one dies before it does. Thread-safe.
 *
 * <p>Its name says which process owns it, and the owner holds a lock on a file in it. The lock is
 * what counts: a process id means nothing to a process in another container that shares the folder
 * above, and every container has a process 1, but a lock ends with its owner wherever that runs.
 */
final class PrivateFolder {
  /** How the names begin of all that this class makes and removes. */
  static final String PREFIX = "twinrank-natives-";

  /** The file whose lock says that the owner lives. */
  static final String LOCK = "owner.lock";

  private static final Duration CERTAINLY_ABANDONED = Duration.ofHours(1);
  private static final int RANDOM_BYTES = 16;
  private static final int ATTEMPTS = 10;

  private final Path path;
  private final FileChannel lock;

  private PrivateFolder(Path path, FileChannel lock) {
    this.path = path;
    this.lock = lock;
  }

  /** Makes a private folder in another and removes what dead processes left there. */
  static PrivateFolder create(Path parent) throws IOException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      Path path = Files.createDirectory(parent.resolve(owner() + random()), mode("rwx------"));
      try {
        FileChannel lock = newFile(path.resolve(LOCK));
        if (isTaken(lock) && Files.exists(path.resolve(LOCK))) {
          sweep(parent, Files.getOwner(path));
          return new PrivateFolder(path, lock);
        }
        lock.close();
      } catch (NoSuchFileException e) {
        // Another process swept it before it had its lock; the next one will be luckier.
      }
    }
    throw new FileSystemException(
        parent.toString(), null, "other processes removed " + ATTEMPTS + " folders just made");
  }

  // On a file system without locks nobody can tell that an owner is gone, so nobody sweeps.
  private static boolean isTaken(FileChannel lock) {
    try {
      return lock.tryLock() != null;
    } catch (IOException e) {
      return true;
    }
  }

  Path path() {
    return path;
  }

  /** Opens a new file that only this user can read. */
  static FileChannel newFile(Path file) throws IOException {
    return FileChannel.open(
        file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), mode("rw-------"));
  }

  /** Removes the folder and what is in it, as far as the system lets it. Idempotent. */
  synchronized void remove() {
    try {
      remove(path, lock);
    } catch (IOException | DirectoryIteratorException e) {
      // Windows keeps a loaded library. The lock stays with this process, and the first start
      // after its end sweeps.
      return;
    }
  }

  private static void sweep(Path parent, UserPrincipal user) {
    String mine = owner();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(parent, PREFIX + "*")) {
      for (Path folder : found) {
        if (!folder.getFileName().toString().startsWith(mine)) {
          sweepOne(folder, user);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      // What cannot be listed cannot be swept, and nothing else depends on it.
      return;
    }
  }

  // Another user's folder is never entered: what lies in it could be a trap.
  private static void sweepOne(Path folder, UserPrincipal user) {
    try {
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
          || !Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS).equals(user)) {
        return;
      }
      Path owner = folder.resolve(LOCK);
      if (Files.exists(owner, LinkOption.NOFOLLOW_LINKS)
          && !Files.isRegularFile(owner, LinkOption.NOFOLLOW_LINKS)) {
        return; // nothing that this class makes; opening a pipe would wait for its other end
      }
      try (FileChannel lock =
          FileChannel.open(owner, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
        FileLock free = lock.tryLock();
        if (free != null) {
          remove(folder, lock);
        }
      } catch (NoSuchFileException e) {
        // Being made, or half removed; neither takes an hour.
        Instant changed = Files.getLastModifiedTime(folder).toInstant();
        if (changed.isBefore(Instant.now().minus(CERTAINLY_ABANDONED))) {
          Files.deleteIfExists(folder);
        }
      }
    } catch (IOException | DirectoryIteratorException | OverlappingFileLockException e) {
      // It has gone meanwhile, or cannot be told; the next start looks again.
      return;
    }
  }

  // The lock is last: a removal that is interrupted is taken up by the next sweep. Its file goes
  // while the lock is held, so that an owner who gets the lock then finds the file gone.
  private static void remove(Path folder, FileChannel lock) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        if (!file.endsWith(LOCK)) {
          Files.deleteIfExists(file);
        }
      }
    }
    Files.deleteIfExists(folder.resolve(LOCK));
    lock.close();
    Files.deleteIfExists(folder);
  }

  private static String random() {
    byte[] random = new byte[RANDOM_BYTES];
    new SecureRandom().nextBytes(random);
    return HexFormat.of().formatHex(random);
  }

  private static String owner() {
    ProcessHandle process = ProcessHandle.current();
    long start = process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
    return PREFIX + process.pid() + "-" + start + "-";
  }

  // Elsewhere than on POSIX a user's folder for temporary files is the user's own.
  private static FileAttribute<?>[] mode(String permissions) {
    return FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
        }
        : new FileAttribute<?>[0];
  }
}
