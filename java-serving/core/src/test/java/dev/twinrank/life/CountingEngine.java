package dev.twinrank.life;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.EngineProvider;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.jni.JniEngineProvider;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * The real engine, with books of what it gave out: every graph and every workspace is to be closed
 * once, no graph while it runs, no workspace in its run, and none is to run after that. It fails
 * where a test wants it to.
 */
public final class CountingEngine implements Engine {
  static final String NAME = "counting";

  /** Names the engine that is counted. */
  static final String COUNTED = "twinrank.life.counted";

  static final Books GRAPHS = new Books();
  static final Books WORKSPACES = new Books();

  /** Called before every load, resize and run, in the middle of the call. */
  static volatile Hook hook = step -> {};

  private final Engine real;

  private CountingEngine(Engine real) {
    this.real = real;
  }

  /** What an engine does. */
  enum Step {
    LOAD,
    RESIZE,
    RUN
  }

  /** Does something in between, or fails. */
  interface Hook {
    void before(Step step) throws GraphFailure;
  }

  /** How many were opened and closed. */
  static final class Books {
    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();

    int opened() {
      return opened.get();
    }

    int open() {
      return opened.get() - closed.get();
    }
  }

  /** Found by the service file that the test writes. */
  public static final class Provider implements EngineProvider {
    @Override
    public String name() {
      return NAME;
    }

    @Override
    public int preference() {
      return -1;
    }

    @Override
    public Optional<String> unavailable() {
      return Optional.empty();
    }

    @Override
    public Engine start() {
      String counted = System.getProperty(COUNTED, JniEngineProvider.NAME);
      Stream<EngineProvider> services =
          ServiceLoader.load(EngineProvider.class).stream().map(ServiceLoader.Provider::get);
      return new CountingEngine(
          Stream.concat(Stream.of(new JniEngineProvider()), services)
              .filter(each -> each.name().equals(counted))
              .findFirst()
              .orElseThrow()
              .start());
    }
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public String release() {
    return real.release();
  }

  @Override
  public NativeGraph load(
      byte[] model,
      Path folder,
      SessionSettings settings,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs)
      throws GraphFailure {
    hook.before(Step.LOAD);
    return new Graph(real.load(model, folder, settings, inputs, outputs));
  }

  private static void wrong(String what) {
    Victim.fail("the books", new IllegalStateException(what));
  }

  private static final class Graph implements NativeGraph {
    private final NativeGraph real;
    private final AtomicInteger closes = new AtomicInteger();
    private final AtomicInteger runs = new AtomicInteger();

    private Graph(NativeGraph real) {
      this.real = real;
      GRAPHS.opened.incrementAndGet();
    }

    @Override
    public Workspace workspace() {
      return new Counted(this, real.workspace());
    }

    @Override
    public void close() {
      if (closes.incrementAndGet() != 1) {
        wrong("a graph was closed twice");
      }
      if (runs.get() != 0) {
        wrong("a graph was closed while it ran");
      }
      real.close();
      GRAPHS.closed.incrementAndGet();
    }
  }

  private static final class Counted implements Workspace {
    private final Graph graph;
    private final Workspace real;
    private final AtomicInteger closes = new AtomicInteger();
    private final AtomicInteger uses = new AtomicInteger();

    private Counted(Graph graph, Workspace real) {
      this.graph = graph;
      this.real = real;
      WORKSPACES.opened.incrementAndGet();
    }

    private void begin() {
      if (uses.incrementAndGet() != 1) {
        wrong("a workspace was used by two threads");
      }
      if (closes.get() != 0) {
        wrong("a workspace was used after it was closed");
      }
    }

    @Override
    public void resize(int candidates) throws GraphFailure {
      begin();
      try {
        hook.before(Step.RESIZE);
        real.resize(candidates);
      } finally {
        uses.decrementAndGet();
      }
    }

    @Override
    public int candidates() {
      return real.candidates();
    }

    @Override
    public ByteBuffer input(int index) {
      return real.input(index);
    }

    @Override
    public ByteBuffer output(int index) {
      return real.output(index);
    }

    @Override
    public void run(Stop stop) throws GraphFailure {
      begin();
      graph.runs.incrementAndGet();
      try {
        if (graph.closes.get() != 0) {
          wrong("a graph was run after it was closed");
        }
        hook.before(Step.RUN);
        real.run(stop);
      } finally {
        graph.runs.decrementAndGet();
        uses.decrementAndGet();
      }
    }

    @Override
    public long bytes() {
      return real.bytes();
    }

    @Override
    public void close() {
      if (closes.incrementAndGet() != 1) {
        wrong("a workspace was closed twice");
      }
      if (uses.get() != 0) {
        wrong("a workspace was closed in its run");
      }
      real.close();
      WORKSPACES.closed.incrementAndGet();
    }
  }
}
