package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.trees.Program.Fill;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Memory of one run of trees: blocks and outputs as direct buffers, which callers write and read as
 * those of every engine, and columns on the heap. A run allocates nothing. Not thread-safe, but for
 * the action that stops a run.
 */
final class TreeWorkspace implements Workspace {
  private static final long LARGEST = Integer.MAX_VALUE - 8L;

  private final Program program;
  private final List<TreeKernels.Choice> kernels;
  private final List<TensorSpec> inputSpecs;
  private final List<TensorSpec> outputSpecs;
  private final ByteBuffer[] inputs;
  private final ByteBuffer[] outputs;
  private final Registers registers;
  private final int chunk;
  private final double[][][] columns;
  private final double[][][] scores;
  private final TreeKernel.Scratch[] alone;
  private final TreeKernel.Scratch[] blocks;
  private final Runnable terminate = this::stop;
  private volatile boolean stopped;
  private int candidates;
  private boolean closed;

  TreeWorkspace(
      Program program,
      List<TreeKernels.Choice> kernels,
      List<TensorSpec> inputSpecs,
      List<TensorSpec> outputSpecs) {
    this.program = program;
    this.kernels = kernels;
    this.inputSpecs = inputSpecs;
    this.outputSpecs = outputSpecs;
    this.inputs = new ByteBuffer[inputSpecs.size()];
    this.outputs = new ByteBuffer[outputSpecs.size()];
    this.registers = new Registers(program.floats(), program.longs());
    this.chunk = program.chunk();
    this.columns = new double[kernels.size()][][];
    this.scores = new double[kernels.size()][][];
    this.alone = new TreeKernel.Scratch[kernels.size()];
    this.blocks = new TreeKernel.Scratch[kernels.size()];
    for (int i = 0; i < kernels.size(); i++) {
      columns[i] = new double[program.columns()[i].length][];
      scores[i] = new double[program.targets()[i].length][];
      alone[i] = kernels.get(i).alone().scratch();
      blocks[i] = kernels.get(i).block().scratch();
    }
  }

  @Override
  public void resize(int count) throws GraphFailure {
    if (closed) {
      throw new IllegalStateException("this workspace is closed");
    }
    if (count == candidates) {
      return;
    }
    candidates = 0;
    resize(inputSpecs, inputs, count);
    resize(outputSpecs, outputs, count);
    if (registers.grow(Math.min(count, chunk), chunk)) {
      bind();
    }
    candidates = count;
  }

  private static void resize(List<TensorSpec> specs, ByteBuffer[] memory, int count)
      throws GraphFailure {
    for (int i = 0; i < memory.length; i++) {
      TensorSpec spec = specs.get(i);
      long bytes = spec.bytes(count);
      if (bytes > LARGEST) {
        throw new GraphFailure(
            "'" + spec.name() + "' would take " + bytes + " bytes; send less at once");
      }
      if (memory[i] == null || memory[i].capacity() < bytes) {
        memory[i] =
            ByteBuffer.allocateDirect((int) spec.capacity(count)).order(ByteOrder.LITTLE_ENDIAN);
      }
      memory[i].limit((int) bytes);
    }
  }

  /** Gives the kernels the registers' new arrays, and constants their values. */
  private void bind() {
    for (int forest = 0; forest < columns.length; forest++) {
      bind(program.columns()[forest], columns[forest]);
      bind(program.targets()[forest], scores[forest]);
    }
    for (Fill constant : program.constants()) {
      registers.fill(constant.type(), constant.register(), constant.bits());
    }
  }

  private void bind(int[] places, double[][] arrays) {
    for (int i = 0; i < arrays.length; i++) {
      arrays[i] = registers.floats(places[i]);
    }
  }

  @Override
  public int candidates() {
    return candidates;
  }

  @Override
  public ByteBuffer input(int index) {
    return inputs[index];
  }

  @Override
  public ByteBuffer output(int index) {
    return outputs[index];
  }

  @Override
  public void run(Stop stop) throws GraphFailure {
    if (stop == null) {
      stopped = false;
      run();
      return;
    }
    stopped = false;
    if (!stop.attach(terminate)) {
      throw new GraphFailure("the run was stopped before it began");
    }
    try {
      run();
    } finally {
      stop.detach();
    }
  }

  private void stop() {
    stopped = true;
  }

  private void run() throws GraphFailure {
    slate();
    for (int from = 0; from < candidates; from += chunk) {
      if (stopped) {
        throw new GraphFailure("the run was stopped after " + from + " candidates");
      }
      rows(from, Math.min(chunk, candidates - from));
    }
  }

  private void slate() {
    for (Load load : program.slateLoads()) {
      load.run(inputs, 0, 1, registers);
    }
    for (Step step : program.slateSteps()) {
      step.op().run(registers, step, 1);
    }
    int rows = Math.min(chunk, candidates);
    for (Fill spread : program.spreads()) {
      registers.spread(spread.type(), spread.register(), rows);
    }
    for (Store store : program.slateStores()) {
      store.run(registers, 0, 1, outputs);
    }
  }

  private void rows(int from, int rows) {
    for (Load load : program.rowLoads()) {
      load.run(inputs, from, rows, registers);
    }
    for (Step step : program.rowSteps()) {
      step.op().run(registers, step, rows);
    }
    for (int i = 0; i < columns.length; i++) {
      TreeKernels.Choice each = kernels.get(i);
      TreeKernel kernel = each.of(rows);
      kernel.score(columns[i], rows, scores[i], kernel == each.alone() ? alone[i] : blocks[i]);
    }
    for (Step step : program.scoreSteps()) {
      step.op().run(registers, step, rows);
    }
    for (Store store : program.rowStores()) {
      store.run(registers, from, rows, outputs);
    }
  }

  @Override
  public long bytes() {
    return bytes(inputs) + bytes(outputs);
  }

  private static long bytes(ByteBuffer[] buffers) {
    long bytes = 0;
    for (ByteBuffer each : buffers) {
      bytes += each == null ? 0 : each.capacity();
    }
    return bytes;
  }

  @Override
  public void close() {
    closed = true;
    candidates = 0;
  }
}
