package dev.twinrank.probe;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.Problem;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Verification.State;
import dev.twinrank.probe.ProtocolException.Code;
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
 *
 * <p>Thread-safe: frames are answered one at a time. All callers share the bundle loaded last.
 *
 * @since 0.1
 */
public final class Testee implements AutoCloseable {
  /** The version of the protocol that {@code hello} answers. */
  static final int PROTOCOL = 1;

  private final boolean attached;
  private Model model;
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
    Objects.requireNonNull(frame, "frame");
    try {
      Frame request = Frame.decode(frame);
      return answer(RequestHeader.read(request.header()), request.body());
    } catch (ScoringException e) {
      return Replies.failure(e);
    } catch (BundleException e) {
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

  /** Closes the model that this testee opened, if any. Idempotent. */
  @Override
  public synchronized void close() {
    Model open = model;
    model = null;
    if (open != null && !attached) {
      open.close();
    }
  }

  private byte[] answer(RequestHeader header, byte[] body) {
    return switch (header.op()) {
      case "hello" -> {
        takesNothing(header, body);
        yield Replies.hello();
      }
      case "load" -> {
        header.allow(Set.of("bundle", "require"));
        refuseBody(header, body);
        yield load(header);
      }
      case "score" -> {
        header.allow(Set.of());
        yield Replies.scored(loaded().rank(loaded().parse(body)));
      }
      case "pack" -> {
        header.allow(Set.of());
        yield Replies.packed(loaded().parse(body));
      }
      case "bye" -> {
        takesNothing(header, body);
        finished = true;
        yield Replies.done();
      }
      default ->
          throw new ProtocolException(
              Code.UNKNOWN_OP,
              "no operation '%s'; there are hello, load, score, pack and bye"
                  .formatted(header.op()));
    };
  }

  private byte[] load(RequestHeader header) {
    if (attached) {
      if (header.field("bundle").isPresent()) {
        throw new ProtocolException(
            Code.ATTACHED,
            "this testee is attached to the live model '%s'; load without 'bundle' describes it"
                .formatted(loaded().name()));
      }
      return Replies.loaded(live(require(header)));
    }
    String bundle =
        header
            .field("bundle")
            .orElseThrow(
                () ->
                    new ProtocolException(
                        Code.INVALID_HEADER, "load needs 'bundle', the directory's path"));
    Model opened =
        Model.open(
            path(bundle),
            // A parity run loads many bundles and times none of them.
            ModelOptions.builder()
                .require(require(header))
                .warmUp(ModelOptions.WarmUp.NONE)
                .build());
    close();
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

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new ProtocolException(Code.INVALID_HEADER, "'bundle' is no path: " + e.getMessage(), e);
    }
  }

  private static Require require(RequestHeader header) {
    String given = header.field("require").orElse(Require.BITS.label());
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

  private static void takesNothing(RequestHeader header, byte[] body) {
    header.allow(Set.of());
    refuseBody(header, body);
  }

  private static void refuseBody(RequestHeader header, byte[] body) {
    if (body.length > 0) {
      throw new ProtocolException(
          Code.INVALID_FRAME,
          "'%s' takes no body; %d bytes were sent".formatted(header.op(), body.length));
    }
  }
}
