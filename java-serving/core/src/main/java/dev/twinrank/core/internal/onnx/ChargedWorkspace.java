package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.life.Budget.Account;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** A workspace whose memory is charged to an account before it is allocated. Not thread-safe. */
final class ChargedWorkspace implements Workspace {
  private final Workspace workspace;
  private final Account account;
  private final List<TensorSpec> tensors;
  private long charged;
  private int room;

  ChargedWorkspace(Workspace workspace, Account account, List<TensorSpec> tensors) {
    this.workspace = workspace;
    this.account = account;
    this.tensors = tensors;
  }

  /**
   * Makes room for a slate.
   *
   * @throws ScoringException {@code memory_exhausted} if the account's budget has no room for it
   */
  @Override
  public void resize(int candidates) throws GraphFailure {
    if (candidates <= room) {
      workspace.resize(candidates);
      return;
    }
    // Old buffers and new ones exist side by side while a workspace grows.
    long more = 0;
    for (TensorSpec each : tensors) {
      more += each.capacity(candidates);
    }
    if (!account.take(more)) {
      throw exhausted(candidates, more);
    }
    charged += more;
    try {
      workspace.resize(candidates);
      room = candidates;
    } finally {
      long held = Math.min(workspace.bytes(), charged);
      account.give(charged - held);
      charged = held;
    }
  }

  private ScoringException exhausted(int candidates, long more) {
    return new ScoringException(
        ErrorCode.MEMORY_EXHAUSTED,
        "a slate of "
            + candidates
            + " candidates needs "
            + more
            + " more bytes of native memory, and "
            + account.budget().describe()
            + "; try again, send fewer candidates at once, or declare a larger MemoryBudget",
        Optional.empty(),
        OptionalInt.empty(),
        null);
  }

  @Override
  public int candidates() {
    return workspace.candidates();
  }

  @Override
  public ByteBuffer input(int index) {
    return workspace.input(index);
  }

  @Override
  public ByteBuffer output(int index) {
    return workspace.output(index);
  }

  @Override
  public void run(Stop stop) throws GraphFailure {
    workspace.run(stop);
  }

  @Override
  public long bytes() {
    return workspace.bytes();
  }

  @Override
  public void close() {
    workspace.close();
    account.give(charged);
    charged = 0;
    room = 0;
  }
}
