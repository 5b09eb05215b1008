package dev.twinrank.probe;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.Problem;
import dev.twinrank.core.Runtimes;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Verification.State;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.jni.JniEngineProvider;
import dev.twinrank.probe.ProtocolException.Code;
import java.nio.ByteBuffer;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * The reader under test in a parity run: takes the frames of contract section 12 and answers them.
 *
 * <p>{@code score} and {@code pack} speak of the bundle loaded last; a load that fails leaves the
 * one before it in place. A testee that is attached to a live model speaks of that model only:
 * {@code load} without a {@code bundle} describes it, and one with a {@code bundle} is refused.
 * {@code run} speaks of the graph that {@code open_onnx} opened last, which is no bundle's.
 *
 * <p>Thread-safe: frames are answered one at a time. All callers share the bundle loaded last.
 *
 * @since 0.1
 */
public final class Testee implements AutoCloseable {
  /** The version of the protocol that {@code hello} answers. */
  static final int PROTOCOL = 1;

  private static final List<String> OPERATIONS =
      List.of("hello", "load", "score", "score_batch", "pack", "open_onnx", "run", "replay", "bye");

  /** Those that speak of a plain graph, which goes through the official binding. */
  private static final Set<String> OF_GRAPHS = Set.of("open_onnx", "run", "replay");

  private final boolean attached;
  private Model model;
  private PlainGraph graph;
  private Answer kept;
  private boolean finished;

  /**
   * Makes a testee that has no bundle until {@code load} names one; it closes the models that it
   * opens.
   */
  public Testee() {
    this(null, false);
  }

  private Testee(Model model, boolean attached) {
    this.model = model;
    this.attached = attached;
  }

  /**
   * Returns a testee for a model that is already in use; the model stays its owner's to close.
   *
   * @since 0.1
   */
  public static Testee attachedTo(Model model) {
    return new Testee(Objects.requireNonNull(model, "model"), true);
  }

  /**
   * Answers one frame. It never throws for what a frame holds: every fault is a failure frame.
   *
   * @param frame the bytes of one request, lengths included
   * @return the bytes of the response, lengths included
   */
  public synchronized byte[] handle(byte[] frame) {
    return answer(ByteBuffer.wrap(Objects.requireNonNull(frame, "frame"))).encode();
  }

  /**
   * Answers one frame between memory that both sides hold. A response that does not fit is kept and
   * not computed twice: the next call, with a request of no bytes, gives it.
   *
   * @param request what is left of it is one request, lengths included; none is left to ask for the
   *     response that did not fit. It is neither changed nor kept
   * @param response takes the response from its start, whatever its position and limit
   * @return how many bytes of {@code response} are the answer; or, negative, how many it needs,
   *     when nothing was written
   * @since 0.1
   */
  public synchronized int handle(ByteBuffer request, ByteBuffer response) {
    Objects.requireNonNull(response, "response");
    Answer answer = request.hasRemaining() || kept == null ? answer(request) : kept;
    kept = null;
    if (answer.size() > response.capacity()) {
      kept = answer;
      return -answer.size();
    }
    answer.writeTo(response);
    return answer.size();
  }

  /** Returns what a testee can do whose models this engine runs, as {@code hello} lists it. */
  static List<String> operations(String engine) {
    return engine.equals(JniEngineProvider.NAME)
        ? OPERATIONS
        : OPERATIONS.stream().filter(op -> !OF_GRAPHS.contains(op)).toList();
  }

  private Answer answer(ByteBuffer frame) {
    kept = null;
    try {
      Frame request = Frame.decode(frame);
      return answer(RequestHeader.read(request.header()), request);
    } catch (ScoringException e) {
      return Replies.failure(e);
    } catch (BundleException e) {
      return Replies.failure(e);
    } catch (GraphException e) {
      return Replies.failure(e);
    } catch (ProtocolException e) {
      return Replies.failure(e);
    } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
      return Replies.failure(
          new ProtocolException(Code.INTERNAL_ERROR, "the testee failed: " + e, e));
    }
  }

  /** Returns whether {@code bye} was answered. */
  public synchronized boolean finished() {
    return finished;
  }

  /** Closes the model and the graph that this testee opened, if any. Idempotent. */
  @Override
  public synchronized void close() {
    if (graph != null) {
      graph.close();
      graph = null;
    }
    kept = null;
    closeModel();
  }

  private void closeModel() {
    Model open = model;
    model = null;
    if (open != null && !attached) {
      open.close();
    }
  }

  private Answer answer(RequestHeader header, Frame request) {
    if (OF_GRAPHS.contains(header.op()) && !operations(Runtimes.engine()).contains(header.op())) {
      throw new ProtocolException(
          Code.UNKNOWN_OP,
          "%s runs through the official binding, and this process runs the engine '%s'"
              .formatted(header.op(), Runtimes.engine()));
    }
    return switch (header.op()) {
      case "hello" -> {
        takesNothing(header, request);
        yield Replies.hello();
      }
      case "load" -> {
        header.allow(Set.of("bundle", "require"));
        refuseBody(header, request);
        yield load(header);
      }
      case "score" -> {
        header.allow(Set.of());
        yield Replies.scored(loaded().rank(loaded().parse(request.body())));
      }
      case "score_batch" -> {
        header.allow(Set.of());
        yield Replies.scored(Batch.score(loaded(), request.bodyInPlace()));
      }
      case "pack" -> {
        header.allow(Set.of());
        yield Replies.packed(loaded().parse(request.body()));
      }
      case "open_onnx" -> {
        header.allow(Set.of("model", "taps", "session", "folder"));
        refuseBody(header, request);
        yield openGraph(header);
      }
      case "run" -> {
        header.allow(Set.of("inputs"));
        yield Replies.ran(opened().run(GraphHeaders.inputs(header, request.bodyInPlace())));
      }
      case "replay" -> {
        header.allow(Set.of("data_set"));
        refuseBody(header, request);
        Path folder = path("data_set", header.needed("data_set"));
        yield Replies.ran(opened().run(DataSet.inputs(folder, opened().declaredInputs())));
      }
      case "bye" -> {
        takesNothing(header, request);
        finished = true;
        yield Replies.done();
      }
      default ->
          throw new ProtocolException(
              Code.UNKNOWN_OP,
              "no operation '%s'; there are %s"
                  .formatted(header.op(), String.join(", ", OPERATIONS)));
    };
  }

  private Answer load(RequestHeader header) {
    if (attached) {
      if (header.text("bundle").isPresent()) {
        throw new ProtocolException(
            Code.ATTACHED,
            "this testee is attached to the live model '%s'; load without 'bundle' describes it"
                .formatted(loaded().name()));
      }
      return Replies.loaded(live(require(header)));
    }
    String bundle = header.needed("bundle");
    Model opened =
        Model.open(
            path("bundle", bundle),
            // A parity run loads many bundles and times none of them.
            ModelOptions.builder()
                .require(require(header))
                .warmUp(ModelOptions.WarmUp.NONE)
                .build());
    closeModel();
    model = opened;
    return Replies.loaded(opened);
  }

  // The same answer that opening the bundle would have given: proof in bits is not lent to a model
  // that lacks it.
  private Model live(Require require) {
    Model live = loaded();
    if (require == Require.BITS && live.verification().state() != State.VERIFIED_BITS) {
      throw new BundleException(
          Path.of(live.name()),
          List.of(
              new Problem(
                  ErrorCode.HOST_CLASS_MISMATCH,
                  "manifest.json#/evidence/host_class",
                  "the live model is %s and this host is of class %s; load with require = reference"
                      .formatted(
                          live.verification().state().label(), live.verification().hostClass()))),
          null);
    }
    return live;
  }

  // A graph that is refused leaves none open: what a caller asks next must not be answered by
  // another.
  private Answer openGraph(RequestHeader header) {
    Path file = path("model", header.needed("model"));
    Path folder = header.text("folder").map(given -> path("folder", given)).orElse(parent(file));
    List<String> taps = header.list("taps", String.class);
    SessionSettings settings = GraphHeaders.settings(header);
    if (graph != null) {
      graph.close();
      graph = null;
    }
    graph = PlainGraph.open(file, folder, taps, settings);
    return Replies.opened(graph.types());
  }

  private static Path parent(Path file) {
    return file.toAbsolutePath().resolveSibling("");
  }

  private PlainGraph opened() {
    if (graph == null) {
      throw new ProtocolException(Code.NOT_LOADED, "no graph is open; send open_onnx first");
    }
    return graph;
  }

  private static Path path(String name, String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new ProtocolException(
          Code.INVALID_HEADER, "'%s' is no path: %s".formatted(name, e.getMessage()), e);
    }
  }

  private static Require require(RequestHeader header) {
    String given = header.text("require").orElse(Require.BITS.label());
    return Arrays.stream(Require.values())
        .filter(require -> require.label().equals(given))
        .findFirst()
        .orElseThrow(
            () ->
                new ProtocolException(
                    Code.INVALID_HEADER,
                    "'require' is '%s'; bits and reference are allowed".formatted(given)));
  }

  private Model loaded() {
    if (model == null) {
      throw new ProtocolException(Code.NOT_LOADED, "no bundle is loaded; send load first");
    }
    return model;
  }

  private static void takesNothing(RequestHeader header, Frame request) {
    header.allow(Set.of());
    refuseBody(header, request);
  }

  private static void refuseBody(RequestHeader header, Frame request) {
    int length = request.bodyInPlace().remaining();
    if (length > 0) {
      throw new ProtocolException(
          Code.INVALID_FRAME,
          "'%s' takes no body; %d bytes were sent".formatted(header.op(), length));
    }
  }
}
