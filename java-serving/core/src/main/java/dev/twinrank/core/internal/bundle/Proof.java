package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.ScoringException;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.State;
import dev.twinrank.core.VerificationReport;
import dev.twinrank.core.internal.json.Quote;
import dev.twinrank.core.internal.onnx.GraphSession;
import dev.twinrank.core.internal.onnx.HostClass;
import dev.twinrank.core.internal.request.RequestReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What replaying the goldens proves: section 9 of the contract.
 *
 * @param state what was proved
 * @param hostClass the class of this host
 * @param attestation the attestation of this host's class that said what the bits are
 */
record Proof(State state, String hostClass, Optional<Attestation> attestation) {

  /** Returns whether this host is of the class that made the evidence. */
  static boolean isExact(Manifest manifest) {
    return HostClass.get().equals(manifest.hostClass());
  }

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
      ModelOptions options,
      Journal journal) {
    Findings found = new Findings(root);
    String here = HostClass.get();
    boolean exact = isExact(manifest);
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
    Proof proof =
        new Proof(
            exact || attestation.isPresent() ? State.VERIFIED_BITS : State.VERIFIED_REFERENCE,
            here,
            attestation);
    Replay replay = new Replay(manifest, reader, session, exact);
    for (int i = 0; i < goldens.size(); i++) {
      Golden golden = goldens.get(i);
      long begin = System.nanoTime();
      Outcome outcome;
      try {
        outcome = replay.of(golden, proof.attested(i));
      } catch (ScoringException e) {
        throw found.shortage(line(i), e);
      }
      Duration duration = Duration.ofNanos(System.nanoTime() - begin);
      Optional<String> detail = outcome.detail().map(Quote::plain);
      journal.golden(
          new VerificationReport.Golden(
              i + 1, golden.candidates, detail, outcome.differences(), duration));
      String line = line(i);
      detail.ifPresent(text -> found.add(ErrorCode.GOLDEN_MISMATCH, line, text));
    }
    found.stop();
    return proof;
  }

  /** Returns what this proves of a bundle of which everything else is known. */
  Verification of(Verification other) {
    return new Verification(
        state,
        hostClass,
        other.bundleHostClass(),
        other.goldens(),
        other.runtime(),
        attestation.isPresent(),
        other.signature(),
        other.signatureDetail(),
        other.installation(),
        other.allowed());
  }

  /** Returns how problems name a golden. */
  static String line(int golden) {
    return Paths.RANKINGS + ":" + (golden + 1);
  }

  /** Returns what a golden must give in every bit beside what it stores, or null. */
  Expectation attested(int golden) {
    return attestation.map(each -> each.of(golden)).orElse(null);
  }
}
