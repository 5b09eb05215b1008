package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.ModelEngine;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.Verification;
import dev.twinrank.core.VerificationReport;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.file.Path;

/**
 * The goldens of a bundle that is open, to be replayed on the graph that serves. Thread-safe.
 *
 * <p>They are read again each time and not kept: they may hold thousands of candidates, and a
 * process serves for weeks between two verifications. Each file is digested on the way, so that
 * what is replayed is what the manifest lists.
 */
public final class Goldens {
  private final Path root;
  private final Manifest manifest;
  private final RequestReader reader;
  private final GraphSession session;
  private final ModelEngine engine;
  private final ModelOptions options;

  Goldens(
      Path root,
      Manifest manifest,
      RequestReader reader,
      GraphSession session,
      ModelEngine engine,
      ModelOptions options) {
    this.root = root;
    this.manifest = manifest;
    this.reader = reader;
    this.session = session;
    this.engine = engine;
    this.options = options;
  }

  /**
   * Replays every golden.
   *
   * @param opened what opening has proved
   * @throws IllegalStateException if the model is closed
   */
  public VerificationReport verify(Verification opened) {
    Journal journal = new Journal(root);
    journal.digest(manifest.digest());
    journal.engine(engine);
    try {
      journal.begin(Journal.DIGESTS);
      BundleFiles files = BundleFiles.goldens(root, manifest);
      journal.begin(Journal.GOLDENS);
      Proof proof =
          Proof.of(
              root,
              manifest,
              GoldenReader.read(root, manifest, files),
              reader,
              session,
              options,
              journal);
      return journal.passed(proof.of(opened));
    } catch (BundleException e) {
      return journal.failed(e);
    }
  }
}
