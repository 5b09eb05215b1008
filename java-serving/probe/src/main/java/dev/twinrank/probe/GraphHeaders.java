package dev.twinrank.probe;

import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.SessionSettings.Optimization;
import dev.twinrank.probe.ProtocolException.Code;
import dev.twinrank.probe.RequestHeader.Members;
import dev.twinrank.probe.Value.Named;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What the headers of the operations on plain graphs say. Static. */
final class GraphHeaders {
  private static final int MAX_THREADS = 1024;

  private GraphHeaders() {}

  /**
   * Returns the session options: the manifest's members, each as the contract's section 3 shows it
   * where it is absent.
   *
   * @throws ProtocolException {@code invalid_header} if one is unknown or of another form
   */
  static SessionSettings settings(RequestHeader header) {
    Members session = header.object("session");
    session.allow(
        Set.of(
            "graph_optimization_level",
            "execution_mode",
            "intra_op_num_threads",
            "inter_op_num_threads",
            "cpu_mem_arena",
            "mem_pattern",
            "prepacking"));
    String level =
        oneOf(session, "graph_optimization_level", "all", "none", "basic", "extended", "all");
    return new SessionSettings(
        Optimization.valueOf(level.toUpperCase(Locale.ROOT)),
        oneOf(session, "execution_mode", "sequential", "sequential", "parallel").equals("parallel"),
        threads(session, "intra_op_num_threads"),
        threads(session, "inter_op_num_threads"),
        session.get("cpu_mem_arena", Boolean.class, true),
        session.get("mem_pattern", Boolean.class, true),
        session.get("prepacking", Boolean.class, true));
  }

  private static String oneOf(Members session, String name, String absent, String... allowed) {
    String given = session.get(name, String.class, absent);
    if (!List.of(allowed).contains(given)) {
      throw RequestHeader.invalid(
          "'%s' is '%s'; %s are allowed".formatted(name, given, String.join(", ", allowed)));
    }
    return given;
  }

  private static int threads(Members session, String name) {
    long threads = session.get(name, Long.class, 1L);
    if (threads < 0 || threads > MAX_THREADS) {
      throw RequestHeader.invalid(
          "'%s' is %d; 0 (one a core) to %d are allowed".formatted(name, threads, MAX_THREADS));
    }
    return (int) threads;
  }

  /**
   * Takes the inputs that the header names from the body.
   *
   * @throws ProtocolException {@code invalid_header} or {@code invalid_frame} if the two are not
   *     what they should be
   * @throws GraphException {@code invalid_value} if a shape is none
   */
  static List<Named> inputs(RequestHeader header, ByteBuffer body) {
    List<Named> inputs = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Map<?, ?> each : header.list("inputs", Map.class)) {
      Members input = new Members("an input of 'run'", each);
      input.allow(Set.of("name", "dtype", "shape"));
      String name = input.get("name", String.class);
      ElementType type = ElementType.of(input.get("dtype", String.class));
      inputs.add(new Named(name, Tensors.take(name, type, shape(input), body)));
      if (!names.add(name)) {
        throw RequestHeader.invalid("two inputs of 'run' have the name '%s'".formatted(name));
      }
    }
    if (body.hasRemaining()) {
      throw new ProtocolException(
          Code.INVALID_FRAME, "%d bytes follow the last input".formatted(body.remaining()));
    }
    return inputs;
  }

  private static List<Long> shape(Members input) {
    List<Long> shape = new ArrayList<>();
    for (Object axis : input.get("shape", List.class)) {
      if (!(axis instanceof Long length)) {
        throw RequestHeader.invalid("an axis of a shape is no integer");
      }
      shape.add(length);
    }
    return shape;
  }
}
