package dev.twinrank.core;

import dev.twinrank.core.internal.bundle.OpenedBundle;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/**
 * A graph without a runtime, whose score is the candidate's index modulo 7 and whose memory is full
 * of what nobody wrote. A run allocates nothing.
 */
final class FakeGraph implements NativeGraph {
  static final Head SCORE = new Head("score", DType.FLOAT32);
  private static final byte POISON = (byte) 0xA5;

  final List<FakeWorkspace> workspaces = new ArrayList<>();
  final PackPlan plan;
  final GraphSession session;
  final Scoring scoring;
  final Observation observation;
  private final int maxCandidates;
  int runs;

  FakeGraph(Schema schema, int maxCandidates, ScoringListener... listeners) {
    plan = new PackPlan(schema);
    session = GraphSession.of(this, 1);
    observation =
        new Observation(
            "fake",
            OptionalLong.empty(),
            "sha256:0",
            schema,
            List.of(SCORE),
            Arrays.asList(listeners));
    this.maxCandidates = maxCandidates;
    scoring = scoring(session);
  }

  /** Returns what scores by another session. */
  Scoring scoring(GraphSession other) {
    OpenedBundle bundle =
        new OpenedBundle(
            "fake",
            "sha256:0",
            plan,
            List.of(),
            SCORE,
            List.of(0.0),
            maxCandidates,
            null,
            new RequestReader(plan, maxCandidates),
            other,
            new ModelEngine("fake", List.of(), "a test"),
            null);
    return new Scoring(bundle, observation);
  }

  @Override
  public Workspace workspace() {
    FakeWorkspace made = new FakeWorkspace();
    workspaces.add(made);
    return made;
  }

  @Override
  public void close() {}

  /** Returns the bytes of every block of a slate that lacks nothing. */
  List<byte[]> bytes(Slate slate) {
    Workspace workspace = slate.finish();
    List<byte[]> all = new ArrayList<>();
    List<Block> blocks = plan.packing().blocks();
    for (int i = 0; i < blocks.size(); i++) {
      boolean none = slate.candidates() == 0 && blocks.get(i).placement() == Placement.CANDIDATE;
      byte[] bytes = new byte[none ? 0 : workspace.input(i).limit()];
      workspace.input(i).get(0, bytes);
      all.add(bytes);
    }
    return all;
  }

  /** Memory on the heap; it keeps its bytes when it is given back, as native memory does. */
  final class FakeWorkspace implements Workspace {
    private final List<Block> blocks = plan.packing().blocks();
    private final ByteBuffer[] inputs = new ByteBuffer[blocks.size()];
    private ByteBuffer output;
    private int candidates;
    boolean closed;

    @Override
    public void resize(int count) throws GraphFailure {
      if (count == candidates) {
        return;
      }
      for (int i = 0; i < inputs.length; i++) {
        byte[] memory = new byte[Math.toIntExact(blocks.get(i).spec().bytes(count))];
        Arrays.fill(memory, POISON);
        inputs[i] = ByteBuffer.wrap(memory).order(ByteOrder.LITTLE_ENDIAN);
      }
      output = ByteBuffer.allocate(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      candidates = count;
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
      return output;
    }

    @Override
    public void run(Stop stop) throws GraphFailure {
      if (stop != null && !stop.attach(() -> {})) {
        throw new GraphFailure("stopped before it began");
      }
      runs++;
      for (int i = 0; i < candidates; i++) {
        output.putFloat(i * Float.BYTES, i % 7);
      }
      if (stop != null) {
        stop.detach();
      }
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void close() {
      closed = true;
    }
  }
}
