package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.Head;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.onnx.Output;
import dev.twinrank.core.internal.pack.PackPlan;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A checked manifest: the parts that a reader uses.
 *
 * @param digest {@code sha256:} and the digest of manifest.json
 * @param name the model's name
 * @param release the release of the runtime
 * @param irVersion the IR version of the graph
 * @param opsets the operator sets that the graph imports, by domain
 * @param session the session options
 * @param plan the schema and its packing
 * @param heads the heads without the score
 * @param score the score
 * @param outputs the graph's outputs that goldens hold: one a head, the score's last
 * @param tolerances the allowed absolute difference at reference level, one an output
 * @param maxCandidates how many candidates a request may have
 * @param goldens how many goldens there are
 * @param dataSets how many of them have tensors
 * @param files every listed file by path
 * @param hostClass the host class of the evidence
 * @param allowed the findings that a person let pass at export
 */
record Manifest(
    String digest,
    String name,
    String release,
    long irVersion,
    Map<String, Long> opsets,
    SessionSettings session,
    PackPlan plan,
    List<Head> heads,
    Head score,
    List<Output> outputs,
    List<Double> tolerances,
    int maxCandidates,
    int goldens,
    int dataSets,
    Map<String, FileEntry> files,
    String hostClass,
    List<Allowed> allowed) {

  /**
   * What the manifest says of a file.
   *
   * @param sha256 64 lower-case hex digits
   * @param size bytes
   */
  record FileEntry(String sha256, long size) {}

  /** Returns all outputs of the graph, in order: those of {@link #outputs}, then the counts. */
  List<Output> graphOutputs() {
    return Stream.concat(outputs.stream(), plan.unseen().stream().map(Output::of)).toList();
  }

  /** Returns the name of an output's head. */
  String headName(int output) {
    return output < heads.size() ? heads.get(output).name() : score.name();
  }
}
