package dev.twinrank.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.LongStream;

/**
 * Direct buffers with native values over them, and the arrays of pointers that a run takes: a run
 * allocates nothing on the heap, and a new number of candidates only where a buffer must grow.
 */
final class FfmWorkspace implements Workspace {
  private static final int ALIGNMENT = 64;
  private static final long LARGEST = Integer.MAX_VALUE - 8L - 2 * ALIGNMENT;

  private final FfmGraph graph;
  private final Api api;
  private final int inputs;
  private final Slot[] slots;

  /** The pointers to the values, in the order of the slots; zero where there is none. */
  private final MemorySegment values;

  private final MemorySegment out;
  private final MemorySegment shape;
  private int candidates;
  private long runOptions;
  private boolean closed;

  /** One input or output: what it is, and its memory. */
  private static final class Slot {
    final TensorSpec spec;
    final long[] dims;
    final boolean varies;
    final int type;
    ByteBuffer memory;
    ByteBuffer view;

    Slot(TensorSpec spec) {
      this.spec = spec;
      this.dims = spec.dims().stream().mapToLong(Long::longValue).toArray();
      this.varies = LongStream.of(dims).anyMatch(dim -> dim < 0);
      this.type =
          switch (spec.dtype()) {
            case FLOAT32 -> 1;
            case FLOAT64 -> 11;
            default -> 7;
          };
    }

    /** Makes room for so many bytes; what was there may be lost. */
    void reserve(long wanted) throws GraphFailure {
      if (wanted > LARGEST) {
        throw new GraphFailure(
            "'" + spec.name() + "' would take " + wanted + " bytes; send less at once");
      }
      if (memory == null || memory.capacity() < wanted) {
        int grown = (int) Math.min(wanted + wanted / 2, LARGEST);
        // Both ends of an aligned slice are aligned, so it lacks less than two alignments.
        memory = ByteBuffer.allocateDirect(grown + 2 * ALIGNMENT).alignedSlice(ALIGNMENT);
        view = memory.duplicate().order(ByteOrder.nativeOrder());
      }
      view.clear().limit((int) wanted);
    }
  }

  FfmWorkspace(FfmGraph graph) {
    this.graph = graph;
    this.api = graph.api();
    this.inputs = graph.inputs().size();
    this.slots = new Slot[inputs + graph.outputs().size()];
    int rank = 0;
    for (int i = 0; i < slots.length; i++) {
      slots[i] = new Slot(i < inputs ? graph.inputs().get(i) : graph.outputs().get(i - inputs));
      rank = Math.max(rank, slots[i].dims.length);
    }
    Arena arena = Arena.ofAuto();
    this.values = arena.allocate(JAVA_LONG, slots.length);
    this.out = arena.allocate(JAVA_LONG);
    this.shape = arena.allocate(JAVA_LONG, Math.max(rank, 1));
  }

  @Override
  public void resize(int count) throws GraphFailure {
    if (closed) {
      throw new IllegalStateException("this workspace is closed");
    }
    if (count == candidates) {
      return;
    }
    boolean bound = false;
    try {
      for (int i = 0; i < slots.length; i++) {
        bind(i, count);
      }
      bound = true;
    } finally {
      candidates = bound ? count : 0;
      if (!bound) {
        releaseValues();
      }
    }
  }

  private void bind(int i, int count) throws GraphFailure {
    Slot slot = slots[i];
    if (values.getAtIndex(JAVA_LONG, i) != 0 && !slot.varies) {
      return;
    }
    releaseValue(i);
    long bytes = slot.spec.bytes(count);
    slot.reserve(bytes);
    for (int axis = 0; axis < slot.dims.length; axis++) {
      shape.setAtIndex(JAVA_LONG, axis, slot.dims[axis] < 0 ? count : slot.dims[axis]);
    }
    api.createTensor(
        graph.memoryInfo(),
        MemorySegment.ofBuffer(slot.view).address(),
        bytes,
        shape.address(),
        slot.dims.length,
        slot.type,
        out.address());
    values.setAtIndex(JAVA_LONG, i, out.get(JAVA_LONG, 0));
  }

  @Override
  public int candidates() {
    return candidates;
  }

  @Override
  public ByteBuffer input(int index) {
    return slots[index].view;
  }

  @Override
  public ByteBuffer output(int index) {
    return slots[inputs + index].view;
  }

  @Override
  public void run(Stop stop) throws GraphFailure {
    if (candidates == 0) {
      throw new IllegalStateException("this workspace has no room for a slate yet; resize it");
    }
    if (stop == null) {
      run(0);
    } else {
      stoppable(stop);
    }
  }

  private void run(long options) throws GraphFailure {
    try {
      api.run(
          graph.session(),
          options,
          graph.inputNames(),
          values.address(),
          inputs,
          graph.outputNames(),
          slots.length - inputs,
          values.address() + (long) inputs * Long.BYTES);
    } finally {
      // The runtime knows addresses only; what they lead to must not be collected meanwhile.
      Reference.reachabilityFence(graph);
      Reference.reachabilityFence(this);
    }
  }

  // Options that were told to terminate refuse every later run; others serve again.
  private void stoppable(Stop stop) throws GraphFailure {
    if (runOptions == 0) {
      api.createRunOptions(out.address());
      runOptions = out.get(JAVA_LONG, 0);
    }
    Terminator terminator = new Terminator(api, runOptions);
    try {
      if (!stop.attach(terminator)) {
        throw new GraphFailure("the run was stopped before it began");
      }
      try {
        run(runOptions);
      } finally {
        stop.detach();
      }
    } finally {
      if (terminator.end()) {
        releaseRunOptions();
      }
    }
  }

  @Override
  public long bytes() {
    long bytes = 0;
    for (Slot slot : slots) {
      bytes += slot.memory == null ? 0 : slot.memory.capacity();
    }
    return bytes;
  }

  @Override
  public void close() {
    closed = true;
    candidates = 0;
    releaseValues();
    releaseRunOptions();
  }

  private void releaseRunOptions() {
    if (runOptions != 0) {
      api.releaseRunOptions(runOptions);
      runOptions = 0;
    }
  }

  private void releaseValues() {
    for (int i = 0; i < slots.length; i++) {
      releaseValue(i);
    }
  }

  private void releaseValue(int i) {
    long value = values.getAtIndex(JAVA_LONG, i);
    if (value != 0) {
      values.setAtIndex(JAVA_LONG, i, 0L);
      api.releaseValue(value);
    }
  }
}
