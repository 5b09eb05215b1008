package dev.twinrank.ffm;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.PackedBlock;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import dev.twinrank.core.internal.engine.Workspace;
import dev.twinrank.core.internal.proto.ModelWalk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;

/** A bundle's graph, and requests that it can run, packed by whatever engine this process has. */
final class Graph {
  private static final String CANDIDATE = "{\"stock\": %d, \"quality\": %s, \"margin\": %d}";

  private final Path folder;
  private final byte[] model;
  private final List<List<PackedBlock>> requests;

  private Graph(Path folder, byte[] model, List<List<PackedBlock>> requests) {
    this.folder = folder;
    this.model = model;
    this.requests = List.copyOf(requests);
  }

  Path folder() {
    return folder;
  }

  byte[] model() {
    return model.clone();
  }

  List<List<PackedBlock>> requests() {
    return requests;
  }

  /** Returns the contract's hand-made bundle: its goldens' requests, and one more, the last. */
  static Graph tiny() {
    Path folder = tinyFolder();
    try (Model model =
        Model.open(folder, ModelOptions.builder().require(Require.REFERENCE).build())) {
      List<List<PackedBlock>> requests = new ArrayList<>();
      for (String golden : Files.readAllLines(folder.resolve("goldens/requests.jsonl"))) {
        addUnlessRefused(requests, model, golden);
      }
      requests.removeIf(request -> candidates(request) == 0); // no graph runs for those
      requests.add(pack(model, request(model.maxCandidates())));
      return new Graph(folder, Files.readAllBytes(folder.resolve("model.onnx")), requests);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Path tinyFolder() {
    return Path.of(System.getProperty("basedir", ""))
        .toAbsolutePath()
        .resolve("../../tests/contract/vectors/bundles/tiny/1")
        .normalize();
  }

  // Some goldens are requests that every reader refuses.
  private static void addUnlessRefused(
      List<List<PackedBlock>> requests, Model model, String golden) {
    try {
      requests.add(pack(model, golden));
    } catch (ScoringException e) {
      if (e.code() == ErrorCode.SCORING_FAILED) {
        throw e;
      }
    }
  }

  private static List<PackedBlock> pack(Model model, String request) {
    return model.parse(request.getBytes(StandardCharsets.UTF_8)).blocks();
  }

  /** Returns a request whose candidates differ. */
  private static String request(int candidates) {
    List<String> rows = new ArrayList<>();
    for (int i = 0; i < candidates; i++) {
      rows.add(CANDIDATE.formatted(i % 7, (i % 1000) / 999.0, i % 13));
    }
    return "{\"context\": {\"when\": 0, \"budget\": 0}, \"candidates\": ["
        + String.join(", ", rows)
        + "]}";
  }

  List<TensorSpec> inputs() {
    return requests.get(0).stream()
        .map(
            block ->
                new TensorSpec(
                    block.name(), block.dtype(), dims(block.shape(), ofCandidates(block))))
        .toList();
  }

  private static boolean ofCandidates(PackedBlock block) {
    return block.name().startsWith("candidate");
  }

  private static List<Long> dims(long[] shape, boolean candidates) {
    long[] dims = shape.clone();
    if (candidates) {
      dims[0] = -1;
    }
    return LongStream.of(dims).boxed().toList();
  }

  List<TensorSpec> outputs() {
    return ModelWalk.outputs(model);
  }

  NativeGraph load(Engine engine) throws GraphFailure {
    return load(engine, SessionSettings.standard());
  }

  NativeGraph load(Engine engine, SessionSettings settings) throws GraphFailure {
    return engine.load(model, folder, settings, inputs(), outputs());
  }

  /** Returns a request's number of candidates. */
  static int candidates(List<PackedBlock> request) {
    return request.stream()
        .filter(Graph::ofCandidates)
        .findFirst()
        .map(block -> (int) block.shape()[0])
        .orElseThrow();
  }

  List<PackedBlock> last() {
    return requests.get(requests.size() - 1);
  }

  static void fill(Workspace workspace, List<PackedBlock> request) throws GraphFailure {
    fill(workspace, request, candidates(request));
  }

  /** Writes a request's context, and its candidates over and over until there are enough. */
  static void fill(Workspace workspace, List<PackedBlock> request, int candidates)
      throws GraphFailure {
    workspace.resize(candidates);
    for (int i = 0; i < request.size(); i++) {
      ByteBuffer data = request.get(i).data();
      ByteBuffer input = workspace.input(i);
      for (int at = 0; at < input.limit(); at += data.limit()) {
        input.put(at, data, 0, Math.min(data.limit(), input.limit() - at));
      }
    }
  }

  /** Returns a copy of every output's bytes. */
  List<ByteBuffer> results(Workspace workspace) {
    List<ByteBuffer> results = new ArrayList<>();
    for (int i = 0; i < outputs().size(); i++) {
      ByteBuffer memory = workspace.output(i);
      results.add(ByteBuffer.allocate(memory.limit()).put(0, memory, 0, memory.limit()));
    }
    return Collections.unmodifiableList(results);
  }
}
