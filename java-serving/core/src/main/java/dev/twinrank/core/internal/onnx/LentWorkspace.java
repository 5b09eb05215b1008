package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.Workspace;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * A workspace for as long as it is lent. It belongs to one thread at a time, but who forgets that
 * must not crash the process: a slate that is closed or reset while another thread scores it would
 * free the tensors of the run. So a second use at the same time is refused, and a workspace that is
 * given back under a run is closed by that run when it ends, and not lent again.
 */
final class LentWorkspace implements Workspace {
  private static final AtomicIntegerFieldUpdater<LentWorkspace> STATE =
      AtomicIntegerFieldUpdater.newUpdater(LentWorkspace.class, "state");

  private static final int FREE = 0;
  private static final int BUSY = 1;
  private static final int BUSY_AND_RETURNED = 2;
  private static final int RETURNED = 3;

  private final Workspace inside;
  private volatile int state = FREE;

  LentWorkspace(Workspace inside) {
    this.inside = inside;
  }

  /** Ends the loan. Returns what can be lent again, or null if a run closes it, or it was ended. */
  Workspace takeBack() {
    while (true) {
      switch (state) {
        case FREE -> {
          if (STATE.compareAndSet(this, FREE, RETURNED)) {
            return inside;
          }
        }
        case BUSY -> {
          if (STATE.compareAndSet(this, BUSY, BUSY_AND_RETURNED)) {
            return null;
          }
        }
        default -> {
          return null;
        }
      }
      // A run has begun or ended between the two looks.
    }
  }

  private void begin() {
    if (!STATE.compareAndSet(this, FREE, BUSY)) {
      throw new IllegalStateException(
          state == BUSY
              ? "another thread is using this memory; a slate belongs to one thread at a time"
              : "this memory was given back; a slate that is closed cannot be used");
    }
  }

  private void end() {
    if (!STATE.compareAndSet(this, BUSY, FREE)) {
      state = RETURNED;
      inside.close();
    }
  }

  @Override
  public void resize(int candidates) throws GraphFailure {
    begin();
    try {
      inside.resize(candidates);
    } finally {
      end();
    }
  }

  @Override
  public int candidates() {
    return inside.candidates();
  }

  @Override
  public ByteBuffer input(int index) {
    return inside.input(index);
  }

  @Override
  public ByteBuffer output(int index) {
    return inside.output(index);
  }

  @Override
  public void run(Stop stop) throws GraphFailure {
    begin();
    try {
      inside.run(stop);
    } finally {
      end();
    }
  }

  @Override
  public long bytes() {
    return inside.bytes();
  }

  @Override
  public void close() {
    Workspace back = takeBack();
    if (back != null) {
      back.close();
    }
  }
}
