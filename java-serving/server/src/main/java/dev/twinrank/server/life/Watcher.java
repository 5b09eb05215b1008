package dev.twinrank.server.life;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.server.life.Lifecycle.BusyException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the pointers: it reads each of them again and again, which works on every file system and
 * mount. What a pointer says is a wish at the moment of its writing: it is followed once, so what
 * the admin API does later stands until the pointer is written again. A wish that cannot be
 * fulfilled is tried again, ever less often. Thread-safe.
 */
final class Watcher implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Watcher.class);

  /** The contract's names of models: what else lies there, such as lost+found, is not ours. */
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}");

  private static final Duration FIRST_RETRY = Duration.ofSeconds(1);
  private static final Duration LAST_RETRY = Duration.ofSeconds(60);

  private final Path root;
  private final Lifecycle lifecycle;
  private final Clock clock;
  private final LongSupplier nanoTime;
  private final ScheduledExecutorService thread =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread made = new Thread(task, "twinrank-pointers");
            made.setDaemon(true);
            return made;
          });

  // Guarded by this.
  private final Map<String, Wish> wishes = new HashMap<>();
  private boolean unreadable;
  private volatile boolean closed;

  /**
   * What a pointer asked for.
   *
   * @param stamp which file it was
   * @param retryAt when it is tried again; empty if it is not
   * @param pause how long was waited for that
   */
  private record Wish(String stamp, Optional<Long> retryAt, Duration pause) {}

  Watcher(Path root, Lifecycle lifecycle, Clock clock, LongSupplier nanoTime) {
    this.root = root;
    this.lifecycle = lifecycle;
    this.clock = clock;
    this.nanoTime = nanoTime;
  }

  /** Takes a pointer for followed. */
  synchronized void followed(String name, Pointer pointer) {
    wishes.put(name, new Wish(pointer.stamp(), Optional.empty(), Duration.ZERO));
  }

  /** Looks at the pointers again and again, until it is closed. */
  void start(Duration every) {
    ScheduledFuture<?> unused =
        thread.scheduleWithFixedDelay(
            this::lookSafely, every.toNanos(), every.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Looks at once, on the watcher's thread, and tries again what failed. */
  void hurry() {
    if (!closed) {
      thread.execute(
          () -> {
            retryNow();
            lookSafely();
          });
    }
  }

  private synchronized void retryNow() {
    wishes.replaceAll(
        (name, wish) ->
            wish.pause.isZero()
                ? wish
                : new Wish(wish.stamp, Optional.of(Long.MIN_VALUE), wish.pause));
  }

  private void lookSafely() {
    try {
      look();
    } catch (RuntimeException | Error e) {
      // An executor would drop the task without a word, and pointers would never be seen again.
      LOG.error("looking at the pointers failed; it goes on", e);
    }
  }

  /** Looks at every pointer once. */
  synchronized void look() {
    Set<String> names = new HashSet<>();
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(root)) {
      for (Path folder : folders) {
        String name = folder.getFileName().toString();
        if (NAME.matcher(name).matches()
            && lifecycle.settings().wants(name)
            && Files.isDirectory(folder)) {
          names.add(name);
        }
      }
      unreadable = false;
    } catch (IOException | DirectoryIteratorException e) {
      if (!unreadable) {
        LOG.error("{} cannot be read; what is loaded serves on: {}", root, e.toString());
      }
      unreadable = true;
      return;
    }
    wishes.keySet().retainAll(names);
    for (String name : names) {
      if (closed) {
        return;
      }
      Optional<Pointer> pointer = Pointer.read(root.resolve(name));
      if (pointer.isEmpty()) {
        // What it said last is served on. If it comes back, it is a new wish.
        wishes.remove(name);
      } else {
        look(name, pointer.get());
      }
    }
  }

  private void look(String name, Pointer pointer) {
    Wish last = wishes.get(name);
    boolean fresh = last == null || !last.stamp.equals(pointer.stamp());
    if (!fresh && (last.retryAt.isEmpty() || last.retryAt.get() > nanoTime.getAsLong())) {
      return;
    }
    if (pointer.problem().isPresent()) {
      lifecycle.fail(name, Failure.of(pointer.problem().get(), clock.instant()));
      wishes.put(name, new Wish(pointer.stamp(), Optional.empty(), Duration.ZERO));
      return;
    }
    long version = pointer.version().getAsLong();
    try {
      if (fresh) {
        LOG.info("{}: the pointer names version {}", name, version);
      }
      lifecycle.activate(name, version, Differences.REFUSE);
      followed(name, pointer);
    } catch (BusyException e) {
      LOG.debug("{} is looked at again: {}", name, e.getMessage());
    } catch (BundleException e) {
      // Of an incompatible version nothing will change by itself; somebody has to decide.
      wishes.put(
          name,
          e.code() == ErrorCode.INCOMPATIBLE_VERSION
              ? new Wish(pointer.stamp(), Optional.empty(), Duration.ZERO)
              : later(pointer, fresh ? null : last));
    } catch (IllegalArgumentException e) {
      lifecycle.fail(name, Failure.of(version, e, clock.instant()));
      followed(name, pointer);
    } catch (RuntimeException e) {
      if (!(e instanceof IllegalStateException)) {
        lifecycle.fail(name, Failure.of(version, e, clock.instant()));
      }
      wishes.put(name, later(pointer, fresh ? null : last));
    }
  }

  private Wish later(Pointer pointer, Wish last) {
    Duration wait = FIRST_RETRY;
    if (last != null && !last.pause.isZero()) {
      Duration twice = last.pause.multipliedBy(2);
      wait = twice.compareTo(LAST_RETRY) > 0 ? LAST_RETRY : twice;
    }
    return new Wish(pointer.stamp(), Optional.of(nanoTime.getAsLong() + wait.toNanos()), wait);
  }

  /** Looks no more. A version that is being loaded is left to the store, which discards it. */
  @Override
  public void close() {
    closed = true;
    thread.shutdown();
  }
}
