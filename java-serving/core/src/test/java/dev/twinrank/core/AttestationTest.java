package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.Verification.State;
import dev.twinrank.core.internal.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tiny bundle's evidence is of a class that no host has, so its attestation is looked for. */
class AttestationTest {
  private static final Signer SIGNER = Signer.on("secp256r1");

  @TempDir Path folder;

  private Mutator mutator;
  private Path bundle;
  private Path attestation;

  @BeforeEach
  void copy() throws IOException {
    mutator = Mutator.copy(Tiny.BASE, folder);
    bundle = mutator.bundle();
    attestation = bundle.resolveSibling("1.attest").resolve(Runtimes.hostClass() + ".json");
  }

  /** Returns a right attestation: every host class computes the tiny bundle's bits alike. */
  private Map<String, Object> right() {
    List<Object> goldens = new ArrayList<>();
    for (Map<String, Object> golden : Tiny.rankings()) {
      if (golden.containsKey("n") && Contract.integer(golden.get("n")) > 0) {
        golden.remove("n");
        golden.remove("data_set");
        goldens.add(golden);
      }
    }
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("format", JsonText.number(1));
    document.put("bundle", "sha256:" + Sha256.hex(Contract.bytes(Tiny.BASE + "/manifest.json")));
    document.put("host_class", Runtimes.hostClass());
    document.put("runtime", "1.29.0");
    document.put("goldens", goldens);
    document.put("x-note", "ignored");
    return document;
  }

  private byte[] attest(Consumer<Map<String, Object>> change) throws IOException {
    Map<String, Object> document = right();
    change.accept(document);
    byte[] text = Tiny.utf8(JsonText.of(document));
    Files.createDirectories(attestation.getParent());
    Files.write(attestation, text);
    return text;
  }

  private static Map<String, Object> golden(Map<String, Object> document, int index) {
    return Contract.object(((List<?>) document.get("goldens")).get(index));
  }

  @SuppressWarnings("unchecked")
  private static List<Object> list(Object value) {
    return (List<Object>) value;
  }

  private Verification open(Require require, SignaturePolicy policy) {
    ModelOptions options = ModelOptions.builder().require(require).signature(policy).build();
    try (Model model = Model.open(bundle, options)) {
      return model.verification();
    }
  }

  private BundleException refusal() {
    return assertThrows(
        BundleException.class, () -> open(Require.REFERENCE, SignaturePolicy.none()));
  }

  private void refused(ErrorCode code, Consumer<Map<String, Object>> change) throws IOException {
    attest(change);
    assertEquals(code, refusal().code());
  }

  @Test
  void anAttestationOfThisHostsClassMakesTheStateVerifiedBits() throws IOException {
    assertEquals(
        ErrorCode.HOST_CLASS_MISMATCH,
        assertThrows(BundleException.class, () -> open(Require.BITS, SignaturePolicy.none()))
            .code());
    attest(document -> {});
    for (Require require : Require.values()) {
      Verification verification = open(require, SignaturePolicy.none());
      assertEquals(State.VERIFIED_BITS, verification.state());
      assertTrue(verification.attested());
      assertEquals("0".repeat(64), verification.bundleHostClass());
    }
  }

  @Test
  void anAttestationOfAnotherClassOrOfTheBundlesOwnIsNotLookedAt() throws IOException {
    Files.createDirectories(attestation.getParent());
    Files.writeString(attestation.resolveSibling("0".repeat(64) + ".json"), "damaged");
    assertFalse(open(Require.REFERENCE, SignaturePolicy.none()).attested());
    Files.writeString(attestation, "damaged");
    Mutator.copy(Tiny.BASE, folder).rehost().reseal(List.of("manifest"));
    Verification own = open(Require.BITS, SignaturePolicy.none());
    assertEquals(State.VERIFIED_BITS, own.state());
    assertFalse(own.attested());
  }

  @Test
  void itIsFoundThroughALinkToTheBundle() throws IOException {
    attest(document -> {});
    bundle = Files.createSymbolicLink(folder.resolve("current"), bundle);
    assertTrue(open(Require.BITS, SignaturePolicy.none()).attested());
  }

  @Test
  void whatContradictsTheBundleIsAttestationInvalid() throws IOException {
    ErrorCode invalid = ErrorCode.ATTESTATION_INVALID;
    refused(invalid, document -> document.put("bundle", "sha256:" + "0".repeat(64)));
    refused(invalid, document -> document.put("host_class", "0".repeat(64)));
    refused(invalid, document -> document.put("runtime", "1.28.0"));
    refused(invalid, document -> document.put("format", JsonText.number(2)));
    refused(invalid, document -> document.put("surplus", "x"));
    refused(invalid, document -> document.remove("runtime"));
    refused(invalid, document -> list(document.get("goldens")).remove(0));
    refused(invalid, document -> list(document.get("goldens")).add(golden(document, 0)));
    refused(invalid, document -> golden(document, 1).put("golden", JsonText.number(0)));
    refused(invalid, document -> golden(document, 0).put("n", JsonText.number(1)));
    refused(invalid, document -> golden(document, 0).put("score", List.of()));
    refused(invalid, document -> Contract.object(golden(document, 0).get("heads")).clear());
    refused(invalid, document -> golden(document, 0).put("order", List.of(JsonText.number(1))));
    refused(invalid, document -> list(golden(document, 0).get("score")).set(0, "3F800000"));
  }

  @Test
  void whatIsNoReadableTextIsAttestationInvalid() throws IOException {
    Files.createDirectories(attestation);
    assertEquals(ErrorCode.ATTESTATION_INVALID, refusal().code());
    Files.delete(attestation);
    Files.createSymbolicLink(attestation, Path.of("nowhere"));
    assertEquals(ErrorCode.ATTESTATION_INVALID, refusal().code());
    Files.delete(attestation);
    for (String text : List.of("", "[]", "{", "\ufeff{}")) {
      Files.writeString(attestation, text);
      assertEquals(ErrorCode.ATTESTATION_INVALID, refusal().code(), text);
    }
    assertEquals(
        "../1.attest/" + Runtimes.hostClass() + ".json", refusal().problems().get(0).path());
  }

  @Test
  void goldensThatGiveOtherBitsThanAttestedAreAMismatchEvenWithinTheTolerance() throws IOException {
    refused(
        ErrorCode.GOLDEN_MISMATCH,
        document -> {
          List<Object> score = list(golden(document, 0).get("score"));
          int bits = Integer.parseUnsignedInt((String) score.get(0), 16);
          score.set(0, "%08x".formatted(bits ^ 1));
        });
    assertTrue(refusal().getMessage().contains("attested otherwise"));
    refused(
        ErrorCode.GOLDEN_MISMATCH,
        document -> {
          List<Object> order = list(golden(document, 1).get("order"));
          order.add(order.remove(0));
        });
  }

  @Test
  void itsSignatureIsLookedAtOnlyWhereOneIsRequired() throws IOException {
    byte[] text = attest(document -> {});
    SignaturePolicy require = SignaturePolicy.require(SIGNER.publicKey());
    Files.write(bundle.resolve("model.sig"), SIGNER.sign(mutator.digests()));
    String name = attestation.getFileName().toString();
    Path signature = attestation.resolveSibling(Runtimes.hostClass() + ".sig");

    assertTrue(open(Require.BITS, SignaturePolicy.warn(SIGNER.publicKey())).attested());
    assertUnsigned(require);
    Files.write(signature, SIGNER.sign(Map.of(name, Sha256.hex(text))));
    assertTrue(open(Require.BITS, require).attested());
    Files.write(signature, SIGNER.sign(Map.of("other.json", Sha256.hex(text))));
    assertUnsigned(require);
    Files.write(signature, Signer.on("secp256r1").sign(Map.of(name, Sha256.hex(text))));
    assertUnsigned(require);
    Files.write(signature, SIGNER.sign(Map.of(name, Sha256.hex(Tiny.utf8("{}")))));
    assertUnsigned(require);
  }

  private void assertUnsigned(SignaturePolicy require) {
    BundleException refusal =
        assertThrows(BundleException.class, () -> open(Require.BITS, require));
    assertEquals(ErrorCode.ATTESTATION_INVALID, refusal.code());
    assertTrue(refusal.problems().get(0).path().endsWith(".sig"));
  }
}
