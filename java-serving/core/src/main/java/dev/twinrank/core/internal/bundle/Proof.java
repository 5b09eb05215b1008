package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.Verification.State;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.onnx.HostClass;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What replaying the goldens proves: section 9 of the contract.
 *
 * @param state what was proved
 * @param hostClass the class of this host
 * @param attested whether an attestation of this host's class said what the bits are
 */
record Proof(State state, String hostClass, boolean attested) {

  /**
   * Replays every golden.
   *
   * @throws dev.twinrank.core.BundleException if they do not prove what the caller asks
   */
  static Proof of(
      Path root,
      Manifest manifest,
      List<Golden> goldens,
      RequestReader reader,
      GraphSession session,
      ModelOptions options) {
    Findings found = new Findings(root);
    String here = HostClass.get();
    boolean exact = here.equals(manifest.hostClass());
    Optional<Attestation> attestation =
        exact
            ? Optional.empty()
            : Attestation.find(root, manifest, goldens, here, options.signature());
    if (!exact && attestation.isEmpty() && options.require() == Require.BITS) {
      throw found.fatal(
          ErrorCode.HOST_CLASS_MISMATCH,
          Paths.MANIFEST + "#/evidence/host_class",
          "is "
              + manifest.hostClass()
              + ", this host's is "
              + here
              + ": its kernels compute other bits. Export or attest on such a host, or open with"
              + " require = reference",
          null);
    }
    Replay replay = new Replay(manifest, reader, session, exact);
    for (int i = 0; i < goldens.size(); i++) {
      int index = i;
      String line = Paths.RANKINGS + ":" + (i + 1);
      replay
          .difference(goldens.get(i), attestation.map(each -> each.of(index)).orElse(null))
          .ifPresent(detail -> found.add(ErrorCode.GOLDEN_MISMATCH, line, detail));
    }
    found.stop();
    return new Proof(
        exact || attestation.isPresent() ? State.VERIFIED_BITS : State.VERIFIED_REFERENCE,
        here,
        attestation.isPresent());
  }
}
