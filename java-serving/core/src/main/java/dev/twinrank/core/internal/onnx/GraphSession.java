package dev.twinrank.core.internal.onnx;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.life.Budget.Account;
import dev.twinrank.core.internal.life.Users;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.PackedSlate;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.stream.Stream;

/**
 * A graph that is ready to run. Thread-safe.
 *
 * <p>Closing a session of ONNX Runtime while it runs crashes the process, so every run is a user of
 * the session, and the last user frees it.
 */
public final class GraphSession implements AutoCloseable {
  private static final String CLOSED = "this model is closed; open it again to score";

  private final NativeGraph graph;
  private final int outputs;
  private final Users users;
  private final Optional<Account> memory;
  private final List<TensorSpec> tensors;
  private final BlockingQueue<Workspace> idle =
      new ArrayBlockingQueue<>(2 * Runtime.getRuntime().availableProcessors());

  private GraphSession(
      NativeGraph graph, List<TensorSpec> tensors, int outputs, Optional<Account> memory) {
    this.graph = graph;
    this.tensors = tensors;
    this.outputs = outputs;
    this.memory = memory;
    this.users = new Users(this::free);
    memory.ifPresent(account -> account.onShortage(this::drain));
  }

  /**
   * Creates a session from the bytes of a model.
   *
   * @param model the very bytes that were checked
   * @param folder where {@code model.onnx.data} lies, if the model has one
   * @param memory what the workspaces are charged to, if anything; the session closes it, but not
   *     if it is not created
   * @throws GraphFailure if the runtime refuses the graph
   */
  public static GraphSession create(
      byte[] model,
      Path folder,
      SessionSettings settings,
      List<Block> blocks,
      List<Output> outputs,
      Optional<Account> memory)
      throws GraphFailure {
    List<TensorSpec> inputs = blocks.stream().map(Block::spec).toList();
    List<TensorSpec> results = outputs.stream().map(Output::spec).toList();
    return new GraphSession(
        Engines.get().load(model, folder, settings, inputs, results),
        Stream.concat(inputs.stream(), results.stream()).toList(),
        outputs.size(),
        memory);
  }

  /**
   * Returns a session of a graph that is loaded, which it closes.
   *
   * @param memory what the workspaces are charged to, if anything; the session closes it
   */
  public static GraphSession of(
      NativeGraph graph, List<Block> blocks, List<Output> outputs, Optional<Account> memory) {
    Stream<TensorSpec> tensors =
        Stream.concat(blocks.stream().map(Block::spec), outputs.stream().map(Output::spec));
    return new GraphSession(graph, tensors.toList(), outputs.size(), memory);
  }

  /** Returns a session of a graph that is loaded, which it closes; nothing is charged. */
  public static GraphSession of(NativeGraph graph, int outputs) {
    return new GraphSession(graph, List.of(), outputs, Optional.empty());
  }

  /**
   * Runs the graph on a slate; on one of no candidates it does not run, and every output is empty.
   *
   * @param stop what can end the run, or null
   * @return the values of each output, little-endian, in the order of the outputs
   * @throws GraphFailure if the runtime fails
   * @throws IllegalStateException if this session is closed
   */
  public ByteBuffer[] run(PackedSlate slate, Workspace.Stop stop) throws GraphFailure {
    if (slate.candidates() == 0) {
      requireOpen();
      return none();
    }
    Workspace workspace = take();
    try {
      fill(workspace, slate);
      run(workspace, stop);
      return results(workspace);
    } finally {
      give(workspace);
    }
  }

  /**
   * Makes sure that this session can still be used.
   *
   * @throws IllegalStateException if it is closed
   */
  public void requireOpen() {
    if (users.isRetired()) {
      throw new IllegalStateException(CLOSED);
    }
  }

  /**
   * Copies a slate of at least one candidate into a workspace.
   *
   * @throws GraphFailure if it does not fit
   */
  public void fill(Workspace workspace, PackedSlate slate) throws GraphFailure {
    workspace.resize(slate.candidates());
    for (int i = 0; i < slate.blocks().size(); i++) {
      ByteBuffer values = slate.blocks().get(i);
      ByteBuffer input = workspace.input(i);
      if (values.limit() != input.limit()) {
        throw new GraphFailure(
            "input "
                + i
                + " has "
                + values.limit()
                + " bytes instead of the "
                + input.limit()
                + " of "
                + slate.candidates()
                + " candidates");
      }
      input.put(0, values, 0, values.limit());
    }
  }

  /** Returns the outputs of a slate of no candidates. */
  public ByteBuffer[] none() {
    ByteBuffer[] none = new ByteBuffer[outputs];
    Arrays.fill(none, ByteBuffer.allocate(0));
    return none;
  }

  /** Returns a workspace that nobody else has; the caller gives it back with {@link #give}. */
  public Workspace take() {
    Workspace workspace = idle.poll();
    return new LentWorkspace(workspace == null ? fresh() : workspace);
  }

  private Workspace fresh() {
    Workspace workspace = graph.workspace();
    return memory.isEmpty() ? workspace : new ChargedWorkspace(workspace, memory.get(), tensors);
  }

  /**
   * Takes a workspace back; one that finds no place is closed, and one that another thread still
   * runs, when that has ended.
   *
   * @return whether this call has ended the loan, and nobody was running it
   */
  public boolean give(Workspace workspace) {
    Workspace back = ((LentWorkspace) workspace).takeBack();
    if (back == null) {
      return false;
    }
    if (users.isRetired() || !idle.offer(back)) {
      back.close();
    } else if (users.isRetired()) {
      drain();
    }
    return true;
  }

  /**
   * Runs a workspace whose inputs are written.
   *
   * @throws GraphFailure if the runtime fails, or was stopped
   * @throws IllegalStateException if this session is closed
   */
  public void run(Workspace workspace, Workspace.Stop stop) throws GraphFailure {
    if (!users.enter()) {
      throw new IllegalStateException(CLOSED);
    }
    try {
      workspace.run(stop);
    } finally {
      users.leave();
    }
  }

  /** Returns a copy on the heap of what a run has left in the memory of the outputs. */
  public ByteBuffer[] results(Workspace workspace) {
    ByteBuffer[] results = new ByteBuffer[outputs];
    for (int i = 0; i < results.length; i++) {
      ByteBuffer memory = workspace.output(i);
      results[i] =
          ByteBuffer.allocate(memory.limit())
              .order(ByteOrder.LITTLE_ENDIAN)
              .put(0, memory, 0, memory.limit());
    }
    return results;
  }

  /** Waits for running calls, then frees the session. Idempotent. */
  @Override
  public void close() {
    users.retire();
    users.awaitFreed();
  }

  private void free() {
    try {
      drain();
      graph.close();
    } finally {
      memory.ifPresent(Account::close);
    }
  }

  private void drain() {
    for (Workspace each = idle.poll(); each != null; each = idle.poll()) {
      each.close();
    }
  }
}
