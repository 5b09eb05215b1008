package dev.twinrank.core.internal.onnx;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * A workspace that is given back while another thread goes on using it is closed once, by whichever
 * of them is the last, and never while it is used.
 */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "used until it was given back, closed once")
@Outcome(expect = FORBIDDEN, desc = "closed in its run, or not once")
@State
public class LentWorkspaceStress {
  // It must be given back in the moment between two uses.
  private static final int USES = 50;

  private final Inside inside = new Inside();
  private final LentWorkspace lent = new LentWorkspace(inside);

  private static final class Inside implements Workspace {
    private final AtomicInteger closes = new AtomicInteger();
    private int usedAfterwards;

    @Override
    public void resize(int candidates) {
      run(null);
    }

    @Override
    public int candidates() {
      return 0;
    }

    @Override
    public ByteBuffer input(int index) {
      return null;
    }

    @Override
    public ByteBuffer output(int index) {
      return null;
    }

    @Override
    public void run(Stop stop) {
      usedAfterwards += closes.get();
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void close() {
      closes.incrementAndGet();
    }
  }

  @Actor
  public void use() {
    try {
      for (int i = 0; i < USES; i++) {
        lent.run(null);
      }
    } catch (IllegalStateException e) {
      // It was given back.
    } catch (GraphFailure e) {
      throw new IllegalStateException(e);
    }
  }

  @Actor
  public void close() {
    lent.close();
  }

  @Arbiter
  public void end(II_Result r) {
    r.r1 = inside.usedAfterwards;
    r.r2 = inside.closes.get();
  }
}
