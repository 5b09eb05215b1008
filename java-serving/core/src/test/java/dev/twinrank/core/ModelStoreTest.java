package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelStore.Differences;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.ModelStore.Lease;
import dev.twinrank.core.ModelStore.State;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class ModelStoreTest {
  private static final String NAME = Versions.NAME;

  @TempDir private static Path folder;
  private static Path models;

  private final List<String> told = new CopyOnWriteArrayList<>();

  @BeforeAll
  static void makeVersions() throws IOException {
    models = Files.createDirectories(folder.resolve("models"));
    for (int version = 1; version <= 3; version++) {
      Versions.make(models, version);
    }
    Versions.make(models, 4, "bold");
    Path damaged = Versions.make(models, 5);
    Files.delete(damaged.resolve("manifest.sha256"));
    Files.createDirectories(models.resolve("other"));
    Files.move(Versions.make(models, 6), models.resolve("other/6"));
  }

  private final class Recorder implements StoreListener {
    @Override
    public void loading(String name, long version) {
      told.add("loading " + version);
    }

    @Override
    public void loaded(Entry entry, Duration took) {
      assertFalse(took.isNegative() || took.isZero());
      assertEquals(Verification.State.VERIFIED_REFERENCE, entry.verification().state());
      told.add("loaded " + entry.version());
    }

    @Override
    public void activated(String name, OptionalLong from, long to) {
      told.add("activated " + from.orElse(0) + " " + to);
    }

    @Override
    public void rolledBack(String name, long from, long to) {
      told.add("rolledBack " + from + " " + to);
    }

    @Override
    public void unloaded(String name, long version) {
      told.add("unloaded " + version);
    }

    @Override
    public void failed(String name, long version, RuntimeException problem) {
      told.add("failed " + version + " " + problem.getClass().getSimpleName());
    }
  }

  private static StoreOptions.Builder options() {
    return StoreOptions.builder().model(Versions.OPTIONS);
  }

  private static ModelStore open() {
    return ModelStore.open(models, options().build());
  }

  private static List<String> states(ModelStore store) {
    return store.entries().stream()
        .map(entry -> entry.version() + " " + entry.state() + " " + entry.leases())
        .toList();
  }

  private static int answer(ModelStore store) {
    try (Lease lease = store.acquire(NAME)) {
      assertEquals(lease.version(), Versions.versionOf(lease.model()));
      return (int) lease.version();
    }
  }

  @Test
  void nothingIsLoadedUntilSomebodySaysSo() {
    try (ModelStore store = open()) {
      assertEquals(List.of(), store.entries());
      NoSuchElementException e =
          assertThrows(NoSuchElementException.class, () -> store.acquire(NAME));
      assertEquals(
          "no version of 'tiny' is active; active: none; activate one first", e.getMessage());
      assertEquals(List.of(1L, 2L, 3L, 4L, 5L), store.discover().versions().get(NAME));
    }
  }

  @Test
  void versionsAreTheDirectoriesWithNumbersAndNothingElse() throws IOException {
    Path root = Files.createDirectories(folder.resolve("listed"));
    for (String each :
        List.of(
            "m/9",
            "m/10",
            "m/1.attest",
            "m/.tmp-11",
            "m/02",
            "m/latest",
            "empty",
            ".tmp-x",
            "lost+found/1")) {
      Files.createDirectories(root.resolve(each));
    }
    Files.writeString(root.resolve("m/10.verified.json"), "{}");
    Files.writeString(root.resolve("README"), "no model");
    try (ModelStore store = ModelStore.open(root, StoreOptions.defaults())) {
      ModelStore.OnDisk found = store.discover();
      assertEquals(Map.of("m", List.of(9L, 10L), "empty", List.of()), found.versions());
      assertEquals(
          List.of(root.resolve("lost+found"), root.resolve("m/02"), root.resolve("m/latest")),
          found.passedOver());
    }
    UncheckedIOException e =
        assertThrows(
            UncheckedIOException.class,
            () -> ModelStore.open(root.resolve("absent"), StoreOptions.defaults()));
    assertTrue(e.getMessage().contains("absent: is no directory that can be read"), e.getMessage());
  }

  @Test
  void aStoreThatStartsWithTheNewestReportsEveryProblemOfEveryBundle() {
    StoreOptions newest = options().start(StoreOptions.Start.NEWEST).build();
    BundleException e = assertThrows(BundleException.class, () -> ModelStore.open(models, newest));
    assertEquals(
        List.of("tiny/5/manifest.sha256", "other/6/manifest.json#/name"),
        e.problems().stream().map(Problem::path).toList());
    assertTrue(e.problems().get(1).detail().contains("'tiny'"), e.getMessage());
  }

  @Test
  void theNewestByNumberIsActiveWhereTheStoreStartsWithIt() throws IOException {
    Path root = Files.createDirectories(folder.resolve("newest/models"));
    Versions.make(root, 9);
    Versions.make(root, 10);
    try (ModelStore store =
        ModelStore.open(root, options().start(StoreOptions.Start.NEWEST).build())) {
      assertEquals(10, answer(store));
    }
  }

  @Test
  void severalVersionsServeSideBySide() {
    try (ModelStore store = open()) {
      assertEquals(State.LOADED, store.load(NAME, 1).state());
      assertEquals(State.ACTIVE, store.activate(NAME, 2).state());
      assertEquals(2, answer(store));
      try (Lease one = store.acquire(NAME, 1);
          Lease two = store.acquire(NAME, 2)) {
        assertEquals(1, Versions.versionOf(one.model()));
        assertEquals(2, Versions.versionOf(two.model()));
        assertEquals(List.of("1 LOADED 1", "2 ACTIVE 1"), states(store));
      }
      NoSuchElementException e =
          assertThrows(NoSuchElementException.class, () -> store.acquire(NAME, 3));
      assertEquals(
          "version 3 of 'tiny' is not loaded; of that name: tiny/1, tiny/2; load it first",
          e.getMessage());
    }
  }

  @Test
  void previousVersionsStayForARollbackAndThoseBeforeThemGo() {
    try (ModelStore store = ModelStore.open(models, options().listener(new Recorder()).build())) {
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      store.activate(NAME, 2);
      assertEquals(List.of("1 LOADED 0", "2 ACTIVE 0"), states(store));
      store.activate(NAME, 3);
      assertEquals(List.of("2 LOADED 0", "3 ACTIVE 0"), states(store));

      assertEquals(2, store.rollback(NAME).version());

      assertEquals(2, answer(store));
      assertEquals(List.of("2 ACTIVE 0"), states(store));
      assertThrows(IllegalStateException.class, () -> store.rollback(NAME));
      assertThrows(IllegalStateException.class, () -> store.rollback("other"));
      assertEquals(2, answer(store));
    }
    assertEquals(
        List.of(
            "loading 1",
            "loaded 1",
            "activated 0 1",
            "loading 2",
            "loaded 2",
            "activated 1 2",
            "loading 3",
            "loaded 3",
            "activated 2 3",
            "unloaded 1",
            "rolledBack 3 2",
            "unloaded 3"),
        List.copyOf(told).subList(0, 12));
  }

  @Test
  void aModelOfAStoreIsNotClosedByWhoeverLeasesIt() {
    try (ModelStore store = ModelStore.open(models, options().build())) {
      store.activate(NAME, 1);
      try (Lease lease = store.acquire(NAME)) {
        IllegalStateException e =
            assertThrows(IllegalStateException.class, () -> lease.model().close());
        assertTrue(e.getMessage().contains("close the lease"), e.getMessage());
      }
      assertEquals(1, answer(store));
    }
  }

  @Test
  void aRollbackReadsNoFile() throws IOException {
    Path root = Files.createDirectories(folder.resolve("gone/models"));
    Versions.make(root, 1);
    Versions.make(root, 2);
    try (ModelStore store = ModelStore.open(root, options().build())) {
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      Files.move(root.resolve(NAME), root.resolve("elsewhere"));
      store.rollback(NAME);
      assertEquals(1, answer(store));
    }
  }

  @Test
  void aVersionThatCannotBeUsedLeavesEverythingAsItWas() {
    try (ModelStore store = ModelStore.open(models, options().listener(new Recorder()).build())) {
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      for (long version : List.of(5L, 77L)) {
        BundleException e =
            assertThrows(BundleException.class, () -> store.activate(NAME, version));
        assertEquals(ErrorCode.FILE_MISSING, e.code());
        assertThrows(BundleException.class, () -> store.load(NAME, version));
      }
      assertEquals(2, answer(store));
      assertEquals(List.of("1 LOADED 0", "2 ACTIVE 0"), states(store));
      assertEquals(1, store.rollback(NAME).version());
    }
    assertTrue(told.contains("failed 5 BundleException"), told.toString());
  }

  @Test
  void theManifestMustNameTheModelAsItsDirectoryDoes() {
    try (ModelStore store = open()) {
      BundleException e = assertThrows(BundleException.class, () -> store.load("other", 6));
      assertEquals(ErrorCode.MANIFEST_INVALID, e.code());
      assertTrue(e.getMessage().contains("'tiny'") && e.getMessage().contains("'other'"));
    }
  }

  @Test
  void namesAndVersionsThatLeadElsewhereAreRefused() {
    try (ModelStore store = open()) {
      for (String name : List.of("..", "a/b", "", ".tmp", "a\0")) {
        assertThrows(IllegalArgumentException.class, () -> store.load(name, 1));
      }
      assertThrows(IllegalArgumentException.class, () -> store.load(NAME, 0));
      assertThrows(IllegalArgumentException.class, () -> store.load(NAME, Long.MAX_VALUE));
    }
  }

  @Test
  void aVersionThatWouldRefuseItsPredecessorsRequestsIsActivatedOnlyByPermission() {
    try (ModelStore store = ModelStore.open(models, options().listener(new Recorder()).build())) {
      store.activate(NAME, 1);
      BundleException e = assertThrows(BundleException.class, () -> store.activate(NAME, 4));
      assertEquals(ErrorCode.INCOMPATIBLE_VERSION, e.code());
      assertEquals(1, answer(store));
      assertEquals(List.of("1 ACTIVE 0"), states(store));
      assertFalse(told.contains("loaded 4"), told.toString());

      store.load(NAME, 4);
      assertThrows(BundleException.class, () -> store.activate(NAME, 4));
      assertEquals(List.of("1 ACTIVE 0", "4 LOADED 0"), states(store));

      store.activate(NAME, 4, Differences.ALLOW);
      assertEquals(4, answer(store));
      assertEquals(1, store.rollback(NAME).version());
    }
  }

  @Test
  void anUnloadedVersionServesItsLeasesAndIsFreedAfterTheLast() throws InterruptedException {
    CountDownLatch unloaded = new CountDownLatch(1);
    StoreListener waiting =
        new StoreListener() {
          @Override
          public void unloaded(String name, long version) {
            unloaded.countDown();
          }
        };
    try (ModelStore store = ModelStore.open(models, options().listener(waiting).build())) {
      store.activate(NAME, 1);
      store.load(NAME, 2);
      assertThrows(IllegalStateException.class, () -> store.unload(NAME, 1));
      assertThrows(NoSuchElementException.class, () -> store.unload(NAME, 3));
      Lease lease = store.acquire(NAME, 2);
      Lease another = store.acquire(NAME, 2);
      Model model = lease.model();

      store.unload(NAME, 2);

      assertThrows(NoSuchElementException.class, () -> store.acquire(NAME, 2));
      assertEquals(List.of("1 ACTIVE 0", "2 RETIRED 2"), states(store));
      assertEquals(2, Versions.versionOf(model));
      lease.close();
      lease.close();
      assertThrows(IllegalStateException.class, lease::model);
      assertEquals(2, Versions.versionOf(another.model()));
      assertEquals(1, unloaded.getCount());
      another.close();
      unloaded.await();
      assertEquals(List.of("1 ACTIVE 0"), states(store));
      assertThrows(IllegalStateException.class, () -> Versions.versionOf(model));
    }
  }

  @Test
  void aVersionWithoutLeasesIsFreedWhenUnloadReturns() {
    MemoryBudget budget = MemoryBudget.of(1L << 30);
    StoreOptions charged =
        StoreOptions.builder().model(Versions.options().memory(budget).build()).build();
    try (ModelStore store = ModelStore.open(models, charged)) {
      store.activate(NAME, 1);
      long one = budget.used();
      store.load(NAME, 2);
      assertTrue(budget.used() > one);
      store.unload(NAME, 2);
      assertEquals(one, budget.used());
    }
    assertEquals(0, budget.used());
  }

  @Test
  void aStoreThatIsClosedWaitsForItsLeasesAndGivesNoMore() throws InterruptedException {
    ModelStore store = open();
    store.activate(NAME, 1);
    store.activate(NAME, 2);
    Lease lease = store.acquire(NAME);

    assertFalse(store.close(Duration.ZERO));

    assertThrows(IllegalStateException.class, () -> store.acquire(NAME));
    assertThrows(IllegalStateException.class, () -> store.acquire(NAME, 1));
    assertThrows(IllegalStateException.class, () -> store.acquire("other"));
    assertThrows(IllegalStateException.class, () -> store.load(NAME, 3));
    assertThrows(IllegalStateException.class, () -> store.activate(NAME, 1));
    assertThrows(IllegalStateException.class, () -> store.rollback(NAME));
    assertThrows(IllegalStateException.class, () -> store.unload(NAME, 1));
    assertEquals(2, Versions.versionOf(lease.model()));
    lease.close();
    assertTrue(store.close(Duration.ofDays(365_000)));
    store.close();
    assertEquals(List.of(), store.entries());
  }

  @Test
  void aListenerThatThrowsOrCallsTheStoreChangesNothing() {
    List<Throwable> uncaught = new ArrayList<>();
    StoreListener throwing =
        new StoreListener() {
          @Override
          public void activated(String name, OptionalLong from, long to) {
            throw new AssertionError("thrown by a listener");
          }
        };
    ModelStore[] stores = new ModelStore[1];
    StoreListener calling =
        new StoreListener() {
          @Override
          public void activated(String name, OptionalLong from, long to) {
            if (to == 2) {
              told.add("calls");
              assertEquals(1, stores[0].rollback(name).version());
              told.add("called");
            }
          }
        };
    Thread here = Thread.currentThread();
    Thread.UncaughtExceptionHandler before = here.getUncaughtExceptionHandler();
    here.setUncaughtExceptionHandler(
        (thread, e) -> {
          uncaught.add(e);
          throw new IllegalStateException("thrown by a handler");
        });
    StoreOptions heard =
        options().listener(throwing).listener(calling).listener(new Recorder()).build();
    try (ModelStore store = ModelStore.open(models, heard)) {
      stores[0] = store;
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      assertEquals(1, answer(store));
    } finally {
      here.setUncaughtExceptionHandler(before);
    }
    assertEquals(2, uncaught.size());
    int at = told.indexOf("calls");
    assertEquals(
        List.of("calls", "called", "activated 1 2", "rolledBack 2 1", "unloaded 2"),
        List.copyOf(told).subList(at, at + 5));
  }

  @Test
  void whatWasUnloadedIsNotRolledBackTo() {
    try (ModelStore store = open()) {
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      store.unload(NAME, 1);
      assertThrows(IllegalStateException.class, () -> store.rollback(NAME));
      assertEquals(2, answer(store));
    }
  }

  @Test
  void aWholeNameIsUnloadedWithItsActiveVersionAndCanComeBack() {
    StoreOptions options = StoreOptions.builder().model(Versions.OPTIONS).build();
    try (ModelStore store = ModelStore.open(models, options)) {
      assertThrows(NoSuchElementException.class, () -> store.unload(NAME));
      store.activate(NAME, 1);
      store.activate(NAME, 2);
      try (Lease held = store.acquire(NAME)) {
        assertEquals(List.of(1L, 2L), store.unload(NAME));
        assertThrows(NoSuchElementException.class, () -> store.acquire(NAME));
        assertThrows(IllegalStateException.class, () -> store.rollback(NAME));
        assertEquals(2, Versions.versionOf(held.model()));
        assertEquals(List.of(State.RETIRED), store.entries().stream().map(Entry::state).toList());
      }
      assertThrows(NoSuchElementException.class, () -> store.unload(NAME));
      assertEquals(State.ACTIVE, store.activate(NAME, 1).state());
      try (Lease lease = store.acquire(NAME)) {
        assertEquals(1, lease.version());
      }
    }
  }
}
