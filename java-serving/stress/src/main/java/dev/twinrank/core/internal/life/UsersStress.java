package dev.twinrank.core.internal.life;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** What is counted is freed once, and never while somebody is in or before somebody comes in. */
final class UsersStress {
  private static final int REFUSED = 0;
  private static final int USED = 1;
  private static final int USED_AFTER_FREE = 2;

  private UsersStress() {}

  /** A count, and plain memory that is written when it is freed. */
  abstract static class Counted {
    private final AtomicInteger frees = new AtomicInteger();
    // Plain on purpose: leaving must publish what was done inside to whoever frees.
    private int content = 1;
    final Users users =
        new Users(
            () -> {
              content = 0;
              frees.incrementAndGet();
            });

    final int use() {
      if (!users.enter()) {
        return REFUSED;
      }
      int result = look();
      users.leave();
      return result;
    }

    final int look() {
      return content == 1 && frees.get() == 0 ? USED : USED_AFTER_FREE;
    }

    /** Returns how often it was freed, 10 more if somebody still enters, 100 if it is not empty. */
    final int state() {
      return frees.get() + (users.enter() ? 10 : 0) + 100 * content;
    }
  }

  // Two actors each: with three, jcstress would leave out a machine of two cores.

  /** Somebody comes while the owner leaves and waits. */
  @JCStressTest
  @Outcome(id = "[01], 1, 1", expect = ACCEPTABLE, desc = "used or refused, freed once, in time")
  @Outcome(expect = FORBIDDEN, desc = "used after it was freed, or not freed once")
  @State
  public static class UseAndClose extends Counted {
    @Actor
    public void use(III_Result r) {
      r.r1 = use();
    }

    @Actor
    public void close(III_Result r) {
      users.retire();
      users.awaitFreed();
      r.r2 = state();
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = state();
    }
  }

  /** The owner leaves twice at once, as two threads close, and both wait. */
  @JCStressTest
  @Outcome(id = "1, 1, 1", expect = ACCEPTABLE, desc = "freed once; whoever waited has seen it")
  @Outcome(expect = FORBIDDEN, desc = "freed twice, or not yet when the wait was over")
  @State
  public static class CloseAndClose extends Counted {
    @Actor
    public void first(III_Result r) {
      users.retire();
      users.awaitFreed();
      r.r1 = state();
    }

    @Actor
    public void second(III_Result r) {
      users.retire();
      users.awaitFreed();
      r.r2 = state();
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = state();
    }
  }

  /** Somebody is in from the start, and is the last to leave or not; then it tries again. */
  @JCStressTest
  @Outcome(id = "1, [01], 1", expect = ACCEPTABLE, desc = "whoever was in was in until it left")
  @Outcome(expect = FORBIDDEN, desc = "freed under somebody who was in")
  @State
  public static class LeaveAndRetire extends Counted {
    private final boolean in = users.enter();

    @Actor
    public void leave(III_Result r) {
      r.r1 = in ? look() : REFUSED;
      users.leave();
      r.r2 = use();
    }

    @Actor
    public void retire() {
      users.retire();
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = state();
    }
  }

  /** The last two leave at once when the owner has gone. */
  @JCStressTest
  @Outcome(id = "1, 1, 1", expect = ACCEPTABLE, desc = "the last one freed it")
  @Outcome(expect = FORBIDDEN, desc = "freed under somebody who was in, or not once")
  @State
  public static class LeaveAndLeave extends Counted {
    private final boolean both = users.enter() && users.enter();

    {
      users.retire();
    }

    @Actor
    public void first(III_Result r) {
      r.r1 = both ? look() : REFUSED;
      users.leave();
    }

    @Actor
    public void second(III_Result r) {
      r.r2 = both ? look() : REFUSED;
      users.leave();
    }

    @Arbiter
    public void end(III_Result r) {
      r.r3 = state();
    }
  }
}
