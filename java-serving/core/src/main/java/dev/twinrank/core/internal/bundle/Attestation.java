package dev.twinrank.core.internal.bundle;

import static dev.twinrank.core.internal.bundle.Fields.anyObject;
import static dev.twinrank.core.internal.bundle.Fields.array;
import static dev.twinrank.core.internal.bundle.Fields.closed;
import static dev.twinrank.core.internal.bundle.Fields.integer;
import static dev.twinrank.core.internal.bundle.Fields.text;

import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.SignaturePolicy;
import dev.twinrank.core.SignaturePolicy.Mode;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.bundle.Fields.Check;
import dev.twinrank.core.internal.json.InvalidJson;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** What the goldens give on a host class that is not the bundle's; section 15 of the contract. */
final class Attestation {
  private static final int MAX_BYTES = 64 << 20;
  private static final Set<String> GOLDEN = Set.of("golden", "heads", "score", "order", "dropped");
  private static final Check DOCUMENT =
      closed(
          Map.of(
              "format", integer(1, 1),
              "bundle", text(Pattern.compile("sha256:[0-9a-f]{64}")),
              "host_class", text(ManifestFields.HEX),
              "runtime", text(ManifestFields.RELEASE),
              "goldens", array(anyObject(), 0, Integer.MAX_VALUE)));

  private final Map<Integer, Expectation> goldens = new TreeMap<>();

  private Attestation() {}

  /** Returns what a golden of at least one candidate gives on this host class. */
  Expectation of(int golden) {
    return goldens.get(golden);
  }

  /**
   * Reads the attestation of this host's class, if there is one.
   *
   * @throws dev.twinrank.core.BundleException {@code attestation_invalid}
   */
  static Optional<Attestation> find(
      Path root,
      Manifest manifest,
      List<Golden> goldens,
      String hostClass,
      SignaturePolicy policy) {
    return Siblings.attestation(root, hostClass + ".json")
        .filter(BoundedFile::mayExist)
        .map(file -> new Reading(root, file, manifest, hostClass).read(goldens, policy));
  }

  /** One attestation being read. */
  private record Reading(
      Path root, Path file, Manifest manifest, String hostClass, Findings found) {

    Reading(Path root, Path file, Manifest manifest, String hostClass) {
      this(root, file, manifest, hostClass, new Findings(root));
    }

    Attestation read(List<Golden> goldens, SignaturePolicy policy) {
      byte[] raw = raw();
      if (policy.mode() == Mode.REQUIRE) {
        checkSignature(raw, policy);
      }
      Map<String, Object> document = document(raw);
      checkIdentity(document);
      Attestation attestation = new Attestation();
      try {
        attestation.goldens.putAll(expectations(Json.array(document, "goldens"), goldens));
      } catch (Contradiction e) {
        problem("#/goldens", e.getMessage());
      }
      found.stop();
      return attestation;
    }

    private void problem(String at, String detail) {
      found.add(
          ErrorCode.ATTESTATION_INVALID,
          Siblings.shown(root, file) + at,
          detail + "; attest the bundle again on this host, or remove the attestation");
    }

    private byte[] raw() {
      try {
        byte[] raw = BoundedFile.head(file, MAX_BYTES + 1);
        if (raw.length > MAX_BYTES) {
          problem("", "has more than " + MAX_BYTES + " bytes, the most that are allowed");
          found.stop();
        }
        return raw;
      } catch (IOException e) {
        throw found.fatal(
            ErrorCode.ATTESTATION_INVALID, Siblings.shown(root, file), "cannot be read: " + e, e);
      }
    }

    private void checkSignature(byte[] raw, SignaturePolicy policy) {
      Path signature = file.resolveSibling(hostClass + ".sig");
      Optional<String> refusal =
          BoundedFile.mayExist(signature)
              ? SignatureCheck.refusal(
                  signature, Map.of(file.getFileName().toString(), Sha256.hex(raw)), policy)
              : Optional.of("does not exist");
      refusal.ifPresent(
          detail ->
              found.add(
                  ErrorCode.ATTESTATION_INVALID,
                  Siblings.shown(root, signature),
                  detail + "; a signature is required, so have the attestation signed"));
    }

    private Map<String, Object> document(byte[] raw) {
      try {
        Object document = Json.read(raw);
        DOCUMENT.check(document, "", (at, detail) -> problem("#" + at, detail));
        found.stop();
        return Json.object(document);
      } catch (InvalidJson e) {
        throw found.fatal(
            ErrorCode.ATTESTATION_INVALID,
            Siblings.shown(root, file),
            "is not the JSON that is allowed: " + e.getMessage(),
            e);
      }
    }

    private void checkIdentity(Map<String, Object> document) {
      Map<String, String> expected =
          Map.of(
              "bundle", manifest.digest(),
              "host_class", hostClass,
              "runtime", manifest.release());
      expected.forEach(
          (name, value) -> {
            if (!Json.text(document, name).equals(value)) {
              problem("#/" + name, "is " + Json.text(document, name) + "; expected " + value);
            }
          });
    }

    private Map<Integer, Expectation> expectations(List<Object> entries, List<Golden> goldens) {
      List<Integer> scored = new ArrayList<>();
      for (int i = 0; i < goldens.size(); i++) {
        if (goldens.get(i).candidates > 0) {
          scored.add(i);
        }
      }
      if (entries.size() != scored.size()) {
        throw new Contradiction(
            "has " + entries.size() + " entries for " + scored.size() + " goldens with candidates");
      }
      Map<Integer, Expectation> expectations = new TreeMap<>();
      for (int i = 0; i < entries.size(); i++) {
        int golden = scored.get(i);
        expectations.put(
            golden, expectation(Json.object(entries.get(i)), golden, goldens.get(golden)));
      }
      return expectations;
    }

    private Expectation expectation(Map<String, Object> entry, int index, Golden golden) {
      Map<String, Object> fields = Json.object(Fields.withoutExtensions(entry));
      if (!fields.keySet().equals(GOLDEN)) {
        throw new Contradiction(
            "has an entry of " + fields.keySet() + "; expected " + new TreeSet<>(GOLDEN));
      }
      if (GoldenFields.integer(fields.get("golden"), "golden", manifest.goldens() - 1) != index) {
        throw new Contradiction(
            "has golden " + fields.get("golden") + " where golden " + index + " is expected");
      }
      int n = golden.candidates;
      return new Expectation(
          GoldenFields.outputs(fields, manifest, n).stream().map(List::of).toList(),
          GoldenFields.indices(fields.get("order"), "order", n),
          GoldenFields.indices(fields.get("dropped"), "dropped", n));
    }
  }
}
