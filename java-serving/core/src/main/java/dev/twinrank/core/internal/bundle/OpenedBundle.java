package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Head;
import dev.twinrank.core.ModelEngine;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.Verification;
import dev.twinrank.core.internal.life.Budget;
import dev.twinrank.core.internal.onnx.Engines;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.onnx.Output;
import dev.twinrank.core.internal.pack.Block;
import dev.twinrank.core.internal.pack.PackPlan;
import dev.twinrank.core.internal.proto.Footprint;
import dev.twinrank.core.internal.proto.GraphRules;
import dev.twinrank.core.internal.proto.GraphRules.Signature;
import dev.twinrank.core.internal.proto.ModelWalk;
import dev.twinrank.core.internal.proto.OnnxTypes;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A bundle that has passed every phase.
 *
 * @param name the model's name
 * @param digest the bundle's digest
 * @param plan the schema and its packing
 * @param heads the heads without the score
 * @param score the score
 * @param tolerances the allowed absolute difference at reference level, one a head, the score's
 *     last
 * @param maxCandidates how many candidates a request may have
 * @param verification how it proved itself
 * @param reader the reader of its requests
 * @param session its graph; the owner of this record closes it
 * @param engine what that is run by
 * @param goldens what it can prove itself with again
 */
public record OpenedBundle(
    String name,
    String digest,
    PackPlan plan,
    List<Head> heads,
    Head score,
    List<Double> tolerances,
    int maxCandidates,
    Verification verification,
    RequestReader reader,
    GraphSession session,
    ModelEngine engine,
    Goldens goldens) {

  /**
   * Reads a bundle in phases.
   *
   * @param name what the manifest must name the model, if that is known
   * @param memory what the session and its workspaces are charged to, if anything
   * @param journal where is noted what was reached
   * @throws BundleException with every problem of the first phase that failed
   */
  public static Opening open(
      Path root,
      ModelOptions options,
      Optional<String> name,
      Optional<Budget> memory,
      Journal journal) {
    journal.begin(Journal.LAYOUT);
    Tree tree = Tree.scan(root);
    journal.begin(Journal.MANIFEST);
    Manifest manifest = BundleFiles.manifest(root, tree);
    checkName(root, manifest, name);
    journal.digest(manifest.digest());
    journal.begin(Journal.DIGESTS);
    BundleFiles files = BundleFiles.read(root, manifest, options.installation());
    journal.begin(Journal.SIGNATURE);
    SignatureCheck signature = SignatureCheck.of(root, tree, manifest, options.signature());
    journal.begin(Journal.GRAPH);
    Footprint footprint = checkGraph(root, manifest, files);
    journal.begin(Journal.SESSION);
    Contenders contenders = Contenders.of(root, manifest, files, footprint, memory, options);
    try {
      journal.begin(Journal.GOLDENS);
      RequestReader reader = new RequestReader(manifest.plan(), manifest.maxCandidates());
      List<Golden> goldens = GoldenReader.read(root, manifest, files);
      ModelEngine engine = contenders.choose(goldens);
      GraphSession session = contenders.chosen();
      journal.engine(engine);
      Proof proof = Proof.of(root, manifest, goldens, reader, session, options, journal);
      files.recordVerification();
      OpenedBundle bundle =
          new OpenedBundle(
              manifest.name(),
              manifest.digest(),
              manifest.plan(),
              manifest.heads(),
              manifest.score(),
              manifest.tolerances(),
              manifest.maxCandidates(),
              new Verification(
                  proof.state(),
                  proof.hostClass(),
                  manifest.hostClass(),
                  goldens.size(),
                  "onnxruntime " + Engines.get().release(),
                  proof.attestation().isPresent(),
                  signature.state(),
                  signature.detail(),
                  files.installation(),
                  manifest.allowed()),
              reader,
              session,
              engine,
              new Goldens(root, manifest, reader, session, engine, options));
      Replay replay = new Replay(manifest, reader, session, Proof.isExact(manifest));
      return new Opening(bundle, new Rehearsal(root, goldens, proof, replay, journal));
    } catch (RuntimeException | Error e) {
      contenders.close();
      throw e;
    } finally {
      journal.end();
    }
  }

  private static void checkName(Path root, Manifest manifest, Optional<String> name) {
    if (name.isPresent() && !name.get().equals(manifest.name())) {
      throw new Findings(root)
          .fatal(
              ErrorCode.MANIFEST_INVALID,
              Paths.MANIFEST + "#/name",
              "is '"
                  + manifest.name()
                  + "', but the bundle lies under '"
                  + name.get()
                  + "'; the directory must have the model's name",
              null);
    }
  }

  private static Footprint checkGraph(Path root, Manifest manifest, BundleFiles files) {
    Findings found = new Findings(root);
    Manifest.FileEntry data = manifest.files().get(Paths.MODEL_DATA);
    GraphRules rules =
        new GraphRules(
            manifest.irVersion(),
            manifest.opsets(),
            manifest.plan().packing().blocks().stream().map(OpenedBundle::signature).toList(),
            manifest.graphOutputs().stream().map(OpenedBundle::signature).toList(),
            data == null ? OptionalLong.empty() : OptionalLong.of(data.size()));
    Footprint footprint =
        ModelWalk.check(
            files.content(Paths.MODEL),
            rules,
            (code, where, detail) -> found.add(code, Paths.MODEL + "#" + where, detail));
    found.stop();
    return footprint;
  }

  private static Signature signature(Block block) {
    List<Long> shape = Arrays.stream(block.declaredShape()).boxed().toList();
    return new Signature(block.name(), OnnxTypes.number(block.dtype()), shape);
  }

  private static Signature signature(Output output) {
    List<Long> shape = Arrays.stream(output.shape(-1)).boxed().toList();
    return new Signature(output.name(), OnnxTypes.number(output.dtype()), shape);
  }
}
