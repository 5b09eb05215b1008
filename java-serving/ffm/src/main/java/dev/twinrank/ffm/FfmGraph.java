package dev.twinrank.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A session, and the names of its tensors as C texts. Thread-safe as the interface says. */
final class FfmGraph implements NativeGraph {
  private final Api api;
  private final long memoryInfo;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  // Collected, not freed: a workspace may outlive its graph.
  private final Arena arena = Arena.ofAuto();
  private final MemorySegment inputNames;
  private final MemorySegment outputNames;
  private volatile long session;

  FfmGraph(
      Api api, long memoryInfo, long session, List<TensorSpec> inputs, List<TensorSpec> outputs) {
    this.api = api;
    this.memoryInfo = memoryInfo;
    this.session = session;
    this.inputs = List.copyOf(inputs);
    this.outputs = List.copyOf(outputs);
    this.inputNames = names(this.inputs);
    this.outputNames = names(this.outputs);
  }

  private MemorySegment names(List<TensorSpec> specs) {
    MemorySegment names = arena.allocate(JAVA_LONG, specs.size());
    for (int i = 0; i < specs.size(); i++) {
      names.setAtIndex(JAVA_LONG, i, arena.allocateFrom(specs.get(i).name()).address());
    }
    return names;
  }

  Api api() {
    return api;
  }

  long memoryInfo() {
    return memoryInfo;
  }

  List<TensorSpec> inputs() {
    return inputs;
  }

  List<TensorSpec> outputs() {
    return outputs;
  }

  long inputNames() {
    return inputNames.address();
  }

  long outputNames() {
    return outputNames.address();
  }

  /** Returns the session, which its callers' count keeps open while they use it. */
  long session() {
    long open = session;
    if (open == 0) {
      throw new IllegalStateException("this graph is closed");
    }
    return open;
  }

  @Override
  public Workspace workspace() {
    return new FfmWorkspace(this);
  }

  @Override
  public synchronized void close() {
    long open = session;
    session = 0;
    if (open != 0) {
      api.releaseSession(open);
    }
  }
}
