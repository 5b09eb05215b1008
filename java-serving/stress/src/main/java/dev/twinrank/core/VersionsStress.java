package dev.twinrank.core;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * A lease is of one version that is not freed while it is held, whatever is activated, rolled back
 * and unloaded meanwhile; and every version that is taken out is freed once.
 */
final class VersionsStress {
  private static final int NONE = 0;
  private static final long PATIENCE = Duration.ofSeconds(10).toNanos();
  private static final int FREED_UNDER_THE_LEASE = 9;

  // A model that is closed already: freeing it again does nothing, and only that it is asked to
  // matters here.
  private static final Model CLOSED = closed();

  private VersionsStress() {}

  private static Model closed() {
    Path bundle = Path.of(System.getProperty("twinrank.stress.bundle"));
    ModelOptions options = ModelOptions.builder().require(ModelOptions.Require.REFERENCE).build();
    Model model = Model.open(bundle, options);
    model.close();
    return model;
  }

  /** Versions 1 and 2, of which 1 is current. */
  abstract static class Two {
    private final AtomicInteger[] frees = {
      new AtomicInteger(), new AtomicInteger(), new AtomicInteger()
    };
    final Set<LoadedVersion> retired = ConcurrentHashMap.newKeySet();
    final ModelVersions versions = new ModelVersions("x", new StoreEvents(List.of()), retired);
    final LoadedVersion first = version(1);
    final LoadedVersion second = version(2);

    Two() {
      versions.activate(first, Duration.ZERO, (from, to) -> {}, 0);
    }

    private LoadedVersion version(int number) {
      return new LoadedVersion(CLOSED, number, freed -> frees[number].incrementAndGet());
    }

    /** Leases the current version, and returns its number. */
    final int lease() {
      return used(versions.lease());
    }

    final int used(LoadedVersion leased) {
      if (leased == null) {
        return NONE;
      }
      int number = (int) leased.version();
      boolean freed = frees[number].get() != 0;
      leased.leave();
      return freed ? FREED_UNDER_THE_LEASE : number;
    }

    final void activate(int keep) {
      versions
          .activate(second, Duration.ZERO, (from, to) -> {}, keep)
          .ifPresent(change -> change.dropped().forEach(LoadedVersion::retire));
    }

    /** Waits for what was taken out, and returns how often 1 and 2 were freed, as digits. */
    final int freed() {
      long began = System.nanoTime();
      while (frees[1].get() + frees[2].get() < retired.size()) {
        if (System.nanoTime() - began > PATIENCE) {
          return -1;
        }
        Thread.onSpinWait();
      }
      return 10 * frees[1].get() + frees[2].get();
    }
  }

  // Two actors each: with three, jcstress would leave out a machine of two cores.

  /** The other version is activated while somebody leases twice. */
  @JCStressTest
  @Outcome(
      id = {"1, 1, 10", "1, 2, 10", "2, 2, 10"},
      expect = ACCEPTABLE,
      desc = "one version each, never back again, the old one freed")
  @Outcome(expect = FORBIDDEN, desc = "no version, a freed one, or another count of frees")
  @State
  public static class Activate extends Two {
    @Actor
    public void lease(III_Result r) {
      r.r1 = lease();
      r.r2 = lease();
    }

    @Actor
    public void activate() {
      activate(0);
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = freed();
    }
  }

  /** It is activated and rolled back. */
  @JCStressTest
  @Outcome(id = "[12], [02], 1", expect = ACCEPTABLE, desc = "one version, the other one freed")
  @Outcome(expect = FORBIDDEN, desc = "no version, a freed one, or another count of frees")
  @State
  public static class Rollback extends Two {
    @Actor
    public void lease(III_Result r) {
      r.r1 = lease();
      r.r2 = used(versions.lease(2));
    }

    @Actor
    public void change() {
      activate(1);
      versions.rollback().dropped().forEach(LoadedVersion::retire);
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = freed();
    }
  }

  /** The version that was replaced is leased by its number while it is unloaded. */
  @JCStressTest
  @Outcome(id = "[01], 2, 10", expect = ACCEPTABLE, desc = "leased or gone, freed once")
  @Outcome(expect = FORBIDDEN, desc = "a freed version, or another count of frees")
  @State
  public static class Unload extends Two {
    {
      activate(1);
    }

    @Actor
    public void lease(III_Result r) {
      r.r1 = used(versions.lease(1));
      r.r2 = lease();
    }

    @Actor
    public void unload() {
      versions.take(1).retire();
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = freed();
    }
  }

  /** The store is closed while somebody leases. */
  @JCStressTest
  @Outcome(
      id = {"0, 0, 10", "1, 0, 10", "1, 1, 10"},
      expect = ACCEPTABLE,
      desc = "leased until it is gone, freed once")
  @Outcome(expect = FORBIDDEN, desc = "a freed version, or another count of frees")
  @State
  public static class Close extends Two {
    @Actor
    public void lease(III_Result r) {
      r.r1 = lease();
      r.r2 = lease();
    }

    @Actor
    public void close() {
      versions.close().forEach(LoadedVersion::retireElsewhere);
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = freed();
    }
  }

  /** The store is closed while another version is activated. */
  @JCStressTest
  @Outcome(
      id = "0, 0, 10",
      expect = ACCEPTABLE,
      desc = "closed first; the caller keeps the new one")
  @Outcome(id = "1, 0, 11", expect = ACCEPTABLE, desc = "activated first; both are freed")
  @Outcome(expect = FORBIDDEN, desc = "a version that nobody frees, or one that serves on")
  @State
  public static class CloseAndActivate extends Two {
    @Actor
    public void activate(III_Result r) {
      r.r1 =
          versions
              .activate(second, Duration.ZERO, (from, to) -> {}, 0)
              .map(
                  change -> {
                    change.dropped().forEach(LoadedVersion::retire);
                    return 1;
                  })
              .orElse(0);
    }

    @Actor
    public void close() {
      versions.close().forEach(LoadedVersion::retireElsewhere);
    }

    @Arbiter
    public void end(III_Result r) {
      r.r2 = lease();
      r.r3 = freed();
    }
  }
}
