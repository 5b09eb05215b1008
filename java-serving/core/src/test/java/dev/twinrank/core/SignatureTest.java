package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.Signer.Twist;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.signature.SignatureFile;
import dev.twinrank.core.internal.signature.VerifyingKey;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Signatures that differ from a right one in one thing each. */
class SignatureTest {
  private static final Signer SIGNER = Signer.on("secp256r1");
  private static final Map<String, String> FILES = new LinkedHashMap<>();

  static {
    FILES.put("manifest.json", Sha256.hex(new byte[] {1}));
    FILES.put("manifest.sha256", Sha256.hex(new byte[] {2}));
    FILES.put("model.onnx", Sha256.hex(new byte[] {3}));
  }

  @TempDir Path folder;

  private static String refusal(byte[] text, Signer... keys) {
    List<VerifyingKey> verifying =
        Arrays.stream(keys).map(Signer::publicKey).map(VerifyingKey::of).toList();
    return SignatureFile.refusal(text, FILES, verifying).orElse("");
  }

  private static byte[] signed(Consumer<Twist> change) {
    Twist twist = new Twist();
    change.accept(twist);
    return SIGNER.sign(FILES, twist);
  }

  @ParameterizedTest
  @ValueSource(strings = {"secp256r1", "secp384r1", "secp521r1"})
  void verifiesOnEachCurveAndNotWithAnotherCurvesHash(String curve) {
    Signer signer = Signer.on(curve);
    // DER is shorter now and then, when an integer begins with zeros.
    for (int i = 0; i < 20; i++) {
      assertEquals("", refusal(signer.sign(FILES), signer));
    }
    Twist twist = new Twist();
    twist.hash = curve.equals("secp256r1") ? "SHA512withECDSA" : "SHA256withECDSA";
    assertTrue(refusal(signer.sign(FILES, twist), signer).contains("no signature"));
  }

  @Test
  void verifiesUnderOneOfSeveralKeysAndWithoutAHint() {
    Signer other = Signer.on("secp384r1");
    assertEquals("", refusal(SIGNER.sign(FILES), other, SIGNER));
    assertTrue(refusal(SIGNER.sign(FILES), other).contains("names a key that is none"));
    byte[] unnamed = signed(twist -> twist.bundle = without("verificationMaterial"));
    assertEquals("", refusal(unnamed, other, SIGNER));
    assertTrue(refusal(unnamed, other).contains("no signature"));
    byte[] misnamed =
        signed(
            twist ->
                twist.bundle =
                    each ->
                        with(
                            each,
                            Sha256.hex(other.publicKey().getBytes(StandardCharsets.US_ASCII)),
                            "verificationMaterial",
                            "publicKey",
                            "hint"));
    assertTrue(refusal(misnamed, other, SIGNER).contains("no signature"));
  }

  @Test
  void ignoresMembersThatTheContractDoesNotName() {
    byte[] more =
        signed(
            twist -> {
              twist.bundle =
                  each ->
                      with(
                          with(each, "x", "later"),
                          List.of(),
                          "verificationMaterial",
                          "tlogEntries");
              twist.statement = each -> with(each, "x", "predicate", "later");
            });
    assertEquals("", refusal(more, SIGNER));
  }

  @TestFactory
  Stream<DynamicTest> refusesWhatDiffers() {
    Map<String, Consumer<Twist>> cases = new LinkedHashMap<>();
    cases.put("another media type", t -> t.bundle = e -> with(e, "application/json", "mediaType"));
    cases.put("a media type that is no string", t -> t.bundle = e -> with(e, 1, "mediaType"));
    cases.put("no envelope", t -> t.bundle = without("dsseEnvelope"));
    cases.put("another payload type, signed", t -> t.payloadType = "application/json");
    cases.put(
        "another payload type, unsigned",
        t -> t.bundle = e -> with(e, "application/json", "dsseEnvelope", "payloadType"));
    cases.put(
        "no signature", t -> t.bundle = e -> with(e, List.of(), "dsseEnvelope", "signatures"));
    cases.put(
        "two signatures",
        t ->
            t.bundle =
                e -> {
                  Object one = ((List<?>) get(e, "dsseEnvelope", "signatures")).get(0);
                  return with(e, List.of(one, one), "dsseEnvelope", "signatures");
                });
    cases.put(
        "material that is no object", t -> t.bundle = e -> with(e, 1, "verificationMaterial"));
    cases.put(
        "a hint that is no string",
        t -> t.bundle = e -> with(e, 1, "verificationMaterial", "publicKey", "hint"));
    cases.put(
        "an empty hint",
        t -> t.bundle = e -> with(e, "", "verificationMaterial", "publicKey", "hint"));
    cases.put("an unpadded payload", t -> rewrite(t, "payload", s -> s.replace("=", "")));
    cases.put("a payload with a line end", t -> rewrite(t, "payload", s -> s + "\n"));
    cases.put(
        "a payload of the URL's alphabet", t -> rewrite(t, "payload", s -> s.replace('M', '_')));
    cases.put("a signature with spare bits", t -> t.bundle = SignatureTest::spareBits);
    cases.put("an empty signature", t -> t.signature = der -> new byte[0]);
    cases.put(
        "a signature with a byte behind it",
        t -> t.signature = der -> Arrays.copyOf(der, der.length + 1));
    cases.put("a signature cut off", t -> t.signature = der -> Arrays.copyOf(der, der.length - 1));
    cases.put("a long length", t -> t.signature = SignatureTest::longLength);
    cases.put("an integer with a zero too much", t -> t.signature = SignatureTest::padded);
    cases.put(
        "a signature of zeros", t -> t.signature = der -> der(BigInteger.ZERO, BigInteger.ZERO));
    cases.put(
        "a negative r", t -> t.signature = der -> der(BigInteger.ONE.negate(), BigInteger.ONE));
    cases.put(
        "r beyond the order",
        t -> t.signature = der -> der(BigInteger.TWO.pow(256), BigInteger.ONE));
    cases.put("bare coordinates", t -> t.signature = der -> new byte[64]);
    cases.put(
        "a payload changed after signing",
        t -> rewrite(t, "payload", s -> s.replaceFirst("e", "f")));
    cases.put("a payload that is no JSON", t -> t.payload = text -> new byte[] {'{'});
    cases.put("a payload with a duplicate key", t -> t.payload = text -> duplicated(text));
    cases.put(
        "another statement",
        t -> t.statement = e -> with(e, "https://in-toto.io/Statement/v0.1", "_type"));
    cases.put(
        "another predicate",
        t -> t.statement = e -> with(e, "https://slsa.dev/provenance/v1", "predicateType"));
    cases.put("no subject", t -> t.statement = e -> with(e, List.of(), "subject"));
    cases.put(
        "another subject",
        t ->
            t.statement =
                e ->
                    with(
                        e, List.of(Map.of("digest", Map.of("sha256", "0".repeat(64)))), "subject"));
    cases.put(
        "another method",
        t -> t.statement = e -> with(e, "shards", "predicate", "serialization", "method"));
    cases.put(
        "another hash type",
        t -> t.statement = e -> with(e, "blake2b", "predicate", "serialization", "hash_type"));
    cases.put(
        "resources that are no array",
        t -> t.statement = e -> with(e, Map.of(), "predicate", "resources"));
    cases.put(
        "a digest in capitals",
        t -> resource(t, "digest", FILES.get("manifest.json").toUpperCase(Locale.ROOT)));
    cases.put("another algorithm", t -> resource(t, "algorithm", "sha512"));
    cases.put("a name that is no string", t -> resource(t, "name", 1));
    return cases.entrySet().stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    each.getKey(),
                    () -> assertTrue(!refusal(signed(each.getValue()), SIGNER).isBlank())));
  }

  @Test
  void coversExactlyTheFiles() {
    Map<String, String> fewer = new LinkedHashMap<>(FILES);
    fewer.remove("model.onnx");
    assertTrue(refusal(SIGNER.sign(fewer), SIGNER).contains("does not cover model.onnx"));
    Map<String, String> more = new LinkedHashMap<>(FILES);
    more.put("other", FILES.get("model.onnx"));
    assertTrue(refusal(SIGNER.sign(more), SIGNER).contains("covers 'other'"));
    Map<String, String> changed = new LinkedHashMap<>(FILES);
    changed.put("model.onnx", FILES.get("manifest.json"));
    assertTrue(refusal(SIGNER.sign(changed), SIGNER).contains("covers another model.onnx"));
  }

  @Test
  void refusesATextThatIsTooLongOrNoJson() {
    byte[] sound = SIGNER.sign(FILES);
    byte[] tooLong = Arrays.copyOf(sound, SignatureFile.MAX_BYTES + 1);
    Arrays.fill(tooLong, sound.length, tooLong.length, (byte) ' ');
    assertTrue(refusal(tooLong, SIGNER).contains("more than"));
    assertEquals("", refusal(Arrays.copyOf(tooLong, SignatureFile.MAX_BYTES), SIGNER));
    for (String text :
        List.of("", "[]", "null", "{} x", "\ufeff{}", "[".repeat(40) + "]".repeat(40))) {
      assertTrue(!refusal(Tiny.utf8(text), SIGNER).isBlank(), text);
    }
  }

  @Test
  void answersDamagedSignaturesByNothingButARefusal() {
    byte[] sound = SIGNER.sign(FILES);
    Random random = new Random(11);
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
      byte[] damaged = sound.clone();
      damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      if (i % 3 == 0) {
        damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
      }
      refused += refusal(damaged, SIGNER).isEmpty() ? 0 : 1;
    }
    // What is left names no member of the contract, or is the byte that was there before.
    assertTrue(refused > 2900, "refused " + refused);
  }

  @Test
  void answersDamagedDerByNothingButARefusal() {
    Random random = new Random(12);
    for (int i = 0; i < 300; i++) {
      byte[] text =
          signed(
              twist ->
                  twist.signature =
                      der -> {
                        byte[] damaged = Arrays.copyOf(der, 1 + random.nextInt(der.length));
                        damaged[random.nextInt(damaged.length)] ^= (byte) (1 + random.nextInt(255));
                        return damaged;
                      });
      assertTrue(refusal(text, SIGNER).contains("no signature"));
    }
  }

  // ---- a whole bundle, under each policy

  private static Verification open(Path bundle, SignaturePolicy policy) {
    ModelOptions options =
        ModelOptions.builder().require(ModelOptions.Require.REFERENCE).signature(policy).build();
    try (Model model = Model.open(bundle, options)) {
      return model.verification();
    }
  }

  private static ErrorCode refused(Path bundle, SignaturePolicy policy) {
    return assertThrows(BundleException.class, () -> open(bundle, policy)).code();
  }

  @Test
  void thePolicyDecidesWhatASignatureMeans() throws IOException {
    Mutator mutator = Mutator.copy(Tiny.BASE, folder);
    Path bundle = mutator.bundle();
    SignaturePolicy warn = SignaturePolicy.warn(SIGNER.publicKey());
    SignaturePolicy require = SignaturePolicy.require(SIGNER.publicKey());

    assertEquals(SignatureState.UNCHECKED, open(bundle, SignaturePolicy.none()).signature());
    assertEquals(SignatureState.MISSING, open(bundle, warn).signature());
    assertEquals(ErrorCode.SIGNATURE_MISSING, refused(bundle, require));

    Files.write(bundle.resolve("model.sig"), SIGNER.sign(mutator.digests()));
    for (SignaturePolicy policy : List.of(warn, require)) {
      assertEquals(SignatureState.VALID, open(bundle, policy).signature());
      assertEquals("", open(bundle, policy).signatureDetail());
    }

    Files.writeString(bundle.resolve("model.sig"), "{}");
    assertEquals(SignatureState.UNCHECKED, open(bundle, SignaturePolicy.none()).signature());
    assertEquals(SignatureState.INVALID, open(bundle, warn).signature());
    assertTrue(open(bundle, warn).signatureDetail().contains("mediaType"));
    assertEquals(ErrorCode.SIGNATURE_INVALID, refused(bundle, require));
  }

  @Test
  void everyFileIsCoveredAndDigestsComeBeforeTheSignature() throws IOException {
    Mutator mutator = Mutator.copy(Tiny.BASE, folder);
    Path bundle = mutator.bundle();
    SignaturePolicy require = SignaturePolicy.require(SIGNER.publicKey());
    Map<String, String> digests = mutator.digests();
    for (String name : digests.keySet()) {
      Map<String, String> fewer = new LinkedHashMap<>(digests);
      fewer.remove(name);
      Files.write(bundle.resolve("model.sig"), SIGNER.sign(fewer));
      assertEquals(ErrorCode.SIGNATURE_INVALID, refused(bundle, require), name);
    }
    Files.write(bundle.resolve("model.sig"), new byte[0]);
    Files.write(bundle.resolve("model.onnx"), new byte[] {1});
    assertEquals(ErrorCode.SIZE_MISMATCH, refused(bundle, require));
  }

  // ---- changes

  private static UnaryOperator<Map<String, Object>> without(String name) {
    return object -> {
      object.remove(name);
      return object;
    };
  }

  private static Object get(Map<String, Object> object, String... path) {
    Object value = object;
    for (String step : path) {
      value = Contract.object(value).get(step);
    }
    return value;
  }

  private static Map<String, Object> with(
      Map<String, Object> object, Object value, String... path) {
    Object parent = get(object, Arrays.copyOf(path, path.length - 1));
    Contract.object(parent).put(path[path.length - 1], value);
    return object;
  }

  private static void rewrite(Twist twist, String name, UnaryOperator<String> change) {
    twist.bundle =
        each ->
            with(
                each, change.apply((String) get(each, "dsseEnvelope", name)), "dsseEnvelope", name);
  }

  private static void resource(Twist twist, String name, Object value) {
    twist.statement =
        each -> {
          Contract.object(((List<?>) get(each, "predicate", "resources")).get(0)).put(name, value);
          return each;
        };
  }

  /**
   * Changes bits of the last base64 digit that no byte holds: DER of 70 to 72 bytes, often padded.
   */
  private static Map<String, Object> spareBits(Map<String, Object> bundle) {
    Map<String, Object> one =
        Contract.object(((List<?>) get(bundle, "dsseEnvelope", "signatures")).get(0));
    String text = (String) one.get("sig");
    int last = text.replace("=", "").length() - 1;
    if (!text.endsWith("=")) {
      one.put("sig", text + "="); // no spare bits this time, so a padding that is none
    } else {
      one.put(
          "sig",
          text.substring(0, last) + (char) (text.charAt(last) + 1) + text.substring(last + 1));
    }
    assertTrue(Base64.getDecoder().decode(text).length > 60);
    return bundle;
  }

  private static byte[] longLength(byte[] der) {
    byte[] longer = new byte[der.length + 1];
    System.arraycopy(der, 1, longer, 2, der.length - 1);
    longer[0] = der[0];
    longer[1] = (byte) 0x81;
    return longer;
  }

  private static byte[] padded(byte[] der) {
    byte[] longer = new byte[der.length + 1];
    System.arraycopy(der, 0, longer, 0, 4);
    System.arraycopy(der, 4, longer, 5, der.length - 4);
    longer[1]++;
    longer[3]++;
    return longer;
  }

  private static byte[] der(BigInteger r, BigInteger s) {
    byte[] first = r.toByteArray();
    byte[] second = s.toByteArray();
    byte[] der = new byte[6 + first.length + second.length];
    der[0] = 0x30;
    der[1] = (byte) (der.length - 2);
    der[2] = 0x02;
    der[3] = (byte) first.length;
    System.arraycopy(first, 0, der, 4, first.length);
    der[4 + first.length] = 0x02;
    der[5 + first.length] = (byte) second.length;
    System.arraycopy(second, 0, der, 6 + first.length, second.length);
    return der;
  }

  private static byte[] duplicated(byte[] text) {
    String object = new String(text, StandardCharsets.UTF_8);
    return Tiny.utf8(object.substring(0, object.length() - 1) + ", \"_type\": \"x\"}");
  }
}
