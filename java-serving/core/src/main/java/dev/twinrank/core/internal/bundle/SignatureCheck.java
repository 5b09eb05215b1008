package dev.twinrank.core.internal.bundle;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.SignaturePolicy;
import dev.twinrank.core.SignaturePolicy.Mode;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.signature.SignatureFile;
import dev.twinrank.core.internal.signature.VerifyingKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The phase <i>signature</i>.
 *
 * @param state what the signature told
 * @param detail why it is invalid; empty otherwise
 */
record SignatureCheck(SignatureState state, String detail) {

  /** Looks at the signature of a bundle whose files have all been digested. */
  static SignatureCheck of(Path root, Tree tree, Manifest manifest, SignaturePolicy policy) {
    if (policy.mode() == Mode.NONE) {
      return new SignatureCheck(SignatureState.UNCHECKED, "");
    }
    boolean required = policy.mode() == Mode.REQUIRE;
    if (!tree.files().contains(Paths.SIGNATURE)) {
      if (required) {
        throw new Findings(root)
            .fatal(
                ErrorCode.SIGNATURE_MISSING,
                Paths.SIGNATURE,
                "does not exist, and a signature is required; have the bundle signed, or fetch it"
                    + " again",
                null);
      }
      return new SignatureCheck(SignatureState.MISSING, "");
    }
    Optional<String> refusal = refusal(root.resolve(Paths.SIGNATURE), resources(manifest), policy);
    if (refusal.isPresent() && required) {
      throw new Findings(root)
          .fatal(
              ErrorCode.SIGNATURE_INVALID,
              Paths.SIGNATURE,
              refusal.get() + "; fetch the bundle again from who signed it",
              null);
    }
    return refusal
        .map(detail -> new SignatureCheck(SignatureState.INVALID, detail))
        .orElseGet(() -> new SignatureCheck(SignatureState.VALID, ""));
  }

  /** Returns why a signature file does not verify under the policy's keys, or nothing. */
  static Optional<String> refusal(
      Path file, Map<String, String> resources, SignaturePolicy policy) {
    try {
      return SignatureFile.refusal(
          BoundedFile.head(file, SignatureFile.MAX_BYTES + 1),
          resources,
          policy.keys().stream().map(VerifyingKey::of).toList());
    } catch (IOException e) {
      return Optional.of("cannot be read: " + e);
    }
  }

  /** Returns what the signature must cover: every file's digest, as the reader has found them. */
  private static Map<String, String> resources(Manifest manifest) {
    Map<String, String> resources = new HashMap<>();
    manifest.files().forEach((path, entry) -> resources.put(path, entry.sha256()));
    String digest = manifest.digest().substring("sha256:".length());
    resources.put(Paths.MANIFEST, digest);
    // The phase manifest has shown that the file holds exactly this.
    resources.put(
        Paths.MANIFEST_DIGEST, Sha256.hex((digest + "\n").getBytes(StandardCharsets.US_ASCII)));
    return resources;
  }
}
