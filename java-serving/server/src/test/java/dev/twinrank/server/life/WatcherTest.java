package dev.twinrank.server.life;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ModelOptions.WarmUp;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.StoreOptions;
import dev.twinrank.server.Tiny;
import dev.twinrank.server.Versions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pointers and what they change, looked at when the test says so. */
class WatcherTest {
  private static final ModelOptions OPTIONS =
      ModelOptions.builder().require(Require.REFERENCE).warmUp(WarmUp.NONE).build();

  @TempDir private Path root;

  private final List<String> results = new ArrayList<>();
  private final AtomicLong now = new AtomicLong();
  private final Set<String> served = ConcurrentHashMap.newKeySet();
  private ModelStore store;
  private Lifecycle lifecycle;
  private Watcher watcher;

  @BeforeEach
  void open() throws IOException {
    Versions.same(root, 1);
    Versions.same(root, 2);
    open(LifeSettings.defaults());
    lifecycle.activate("tiny", 1, Differences.REFUSE);
    results.clear();
  }

  private void open(LifeSettings settings) {
    store =
        ModelStore.open(
            root,
            StoreOptions.builder()
                .model(OPTIONS)
                .listener(new Lifecycle.Teller(results::add, served))
                .build());
    lifecycle = new Lifecycle(root, settings, store, Clock.systemUTC());
    watcher = new Watcher(root, lifecycle, Clock.systemUTC(), now::get);
  }

  @AfterEach
  void close() {
    watcher.close();
    store.close();
  }

  private void point(String content) throws IOException {
    Path whole = root.resolve(".tmp-active");
    Files.writeString(whole, content);
    Files.move(whole, root.resolve("tiny/active"), StandardCopyOption.ATOMIC_MOVE);
  }

  private long active() {
    return lifecycle.active("tiny").orElseThrow().version();
  }

  private String failure() {
    return lifecycle.lastFailure("tiny").map(Failure::code).orElse("none");
  }

  private void pass(Duration time) {
    now.addAndGet(time.toNanos());
    watcher.look();
  }

  @Test
  void aPointerIsFollowedOnceAndWhatIsDoneLaterStandsUntilItIsWrittenAnew() throws IOException {
    point("2\n");
    watcher.look();
    assertEquals(2, active());

    lifecycle.rollback("tiny");
    pass(Duration.ofHours(1));
    assertEquals(1, active());

    point("2\n");
    watcher.look();
    assertEquals(2, active());
    Files.delete(root.resolve("tiny/active"));
    watcher.look();
    assertEquals(2, active());
    assertEquals(List.of("ok", "ok"), results);
  }

  @Test
  void whatIsNoPointerChangesNothingAndIsTold() throws IOException {
    List<String> garbage =
        List.of("", "\n", "0\n", "02\n", "-2\n", "2 \n", "2\n3\n", "two\n", "2\0", "9".repeat(99));
    for (String content : garbage) {
      point(content);
      watcher.look();
      assertEquals(1, active(), content);
      assertEquals("pointer_invalid", failure(), content);
      lifecycle.activate("tiny", 1, Differences.REFUSE);
      assertEquals("none", failure());
    }
    Files.delete(root.resolve("tiny/active"));
    Files.createDirectory(root.resolve("tiny/active"));
    watcher.look();
    assertEquals("pointer_invalid", failure());
    assertEquals(List.of(), results);
  }

  @Test
  void aVersionThatIsNotThereYetIsTriedAgainEverLessOften() throws IOException {
    point("3\n");
    watcher.look();
    watcher.look();
    assertEquals(List.of("file_missing"), results);
    pass(Duration.ofSeconds(1));
    pass(Duration.ofMillis(1_999));
    assertEquals(2, results.size());
    pass(Duration.ofMillis(1));
    assertEquals(3, results.size());
    for (int i = 0; i < 100; i++) {
      pass(Duration.ofSeconds(60));
    }
    assertEquals(103, results.size(), "a minute is the longest pause");

    Versions.same(root, 3);
    pass(Duration.ofSeconds(60));
    assertEquals(3, active());
    assertEquals("none", failure());
  }

  @Test
  void aBundleThatFailsKeepsTheOldOneServing() throws IOException {
    Versions.same(root, 3);
    Path weights = root.resolve("tiny/3/model.onnx");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length / 2] ^= 1;
    Files.write(weights, bytes);
    point("3\n");
    watcher.look();
    assertEquals(1, active());
    assertEquals("digest_mismatch", failure());
    assertEquals(List.of("digest_mismatch"), results);

    point("1\n");
    watcher.look();
    assertEquals("none", failure());
  }

  @Test
  void anIncompatibleVersionIsRefusedOnceWithEveryDifferenceAndTakenWhenDeclared()
      throws IOException {
    Versions.bold(root, 4);
    point("4\n");
    watcher.look();
    pass(Duration.ofHours(1));
    assertEquals(1, active());
    assertEquals(List.of("incompatible_version"), results);
    Failure failure = lifecycle.lastFailure("tiny").orElseThrow();
    assertTrue(failure.problems().get(0).path().contains("/heads"), failure.detail());

    BundleException e =
        assertThrows(
            BundleException.class, () -> lifecycle.activate("tiny", 4, Differences.REFUSE));
    assertEquals(ErrorCode.INCOMPATIBLE_VERSION, e.code());
    assertEquals(4, lifecycle.activate("tiny", 4, Differences.ALLOW).version());
    assertEquals(4, active());
  }

  @Test
  void aModelThatAppearsWithAPointerIsServedAndOthersAreNot() throws IOException {
    Path bundle = root.resolve("tiny/2");
    Path other = root.resolve("other");
    Files.createDirectories(other);
    Files.move(bundle, other.resolve("2"));
    Files.createDirectories(root.resolve("lost+found"));
    Files.writeString(root.resolve("lost+found/active"), "1\n");
    Files.writeString(root.resolve("README"), "1\n");
    watcher.look();
    assertEquals(Set.of(), lifecycle.failing());
    Files.writeString(other.resolve("active"), "2\n");
    watcher.look();
    // It is a bundle of tiny in a folder of another name: looked at, and refused.
    assertEquals(Set.of("other"), lifecycle.failing());
    assertEquals(Set.of("tiny"), served);

    lifecycle.unload("tiny");
    assertEquals(Optional.empty(), lifecycle.active("tiny"));
    point("1\n");
    watcher.look();
    assertEquals(1, active());
  }

  @Test
  void onlyWhatIsAskedForIsServedAndThatIsNotUnloaded() throws IOException {
    close();
    LifeSettings all = LifeSettings.defaults();
    open(
        new LifeSettings(
            Set.of("tiny"), all.watch(), 1, all.memory(), all.drainDelay(), all.drainLimit()));
    Files.createDirectories(root.resolve("other"));
    Files.writeString(root.resolve("other/active"), "1\n");
    point("1\n");
    watcher.look();
    assertEquals(1, active());
    assertEquals(Set.of(), lifecycle.failing());
    assertThrows(
        IllegalArgumentException.class, () -> lifecycle.activate("other", 1, Differences.REFUSE));
    assertThrows(IllegalStateException.class, () -> lifecycle.unload("tiny"));
  }

  @Test
  void aFolderThatIsGoneServesOnAndRollingBackReadsNoFile() throws IOException {
    point("2\n");
    watcher.look();
    try (Stream<Path> files = Files.walk(root)) {
      for (Path each : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    watcher.look();
    watcher.look();
    assertEquals(2, active());
    Entry back = lifecycle.rollback("tiny");
    assertEquals(1, back.version());
    try (Lease lease = store.acquire("tiny")) {
      assertEquals(1, lease.version());
      lease.model().rank(lease.model().parse(Tiny.requests().get(1)));
    }
    Files.createDirectories(root);
  }

  @Test
  void everyAnswerDuringManySwapsIsOfOneVersionAndNoneFails() throws Exception {
    Map<Long, String> digests = new HashMap<>();
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService callers = Executors.newFixedThreadPool(2);
    try {
      for (long version = 1; version <= 2; version++) {
        digests.put(version, lifecycle.load("tiny", version).digest());
      }
      List<Future<Integer>> calls = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        calls.add(
            callers.submit(
                () -> {
                  int answers = 0;
                  while (!done.get()) {
                    try (Lease lease = store.acquire("tiny")) {
                      assertEquals(digests.get(lease.version()), lease.model().digest());
                      lease.model().rank(lease.model().parse(Tiny.requests().get(1)));
                      answers++;
                    }
                  }
                  return answers;
                }));
      }
      for (int i = 0; i < 30; i++) {
        point(2 - i % 2 + "\n");
        watcher.look();
        assertEquals(2 - i % 2, active());
      }
      done.set(true);
      for (Future<Integer> call : calls) {
        assertTrue(call.get() > 0);
      }
      assertFalse(digests.get(1L).equals(digests.get(2L)));
    } finally {
      done.set(true);
      callers.shutdownNow();
    }
  }
}
