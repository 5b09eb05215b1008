package dev.twinrank.core;

import dev.twinrank.core.internal.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** Signs as section 14 of the contract says, and, if a test wants that, a little otherwise. */
final class Signer {
  /** What may be changed on the way; each is given what a right signature would hold. */
  static final class Twist {
    UnaryOperator<Map<String, Object>> statement = UnaryOperator.identity();
    UnaryOperator<byte[]> payload = UnaryOperator.identity();
    UnaryOperator<byte[]> signature = UnaryOperator.identity();
    UnaryOperator<Map<String, Object>> bundle = UnaryOperator.identity();
    String payloadType = PAYLOAD_TYPE;
    String hash = "";
  }

  private static final String PAYLOAD_TYPE = "application/vnd.in-toto+json";

  private final PrivateKey key;
  private final String publicPem;

  private Signer(PrivateKey key, String publicPem) {
    this.key = key;
    this.publicPem = publicPem;
  }

  /** Makes a new key on a curve: secp256r1, secp384r1 or secp521r1. */
  static Signer on(String curve) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec(curve));
      KeyPair pair = generator.generateKeyPair();
      return new Signer(pair.getPrivate(), pem(pair.getPublic().getEncoded()));
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  /** Takes a private key in PEM (PKCS #8). */
  static Signer ofPem(String pem) {
    try {
      byte[] encoded =
          Base64.getMimeDecoder().decode(pem.replaceAll("-----(BEGIN|END) PRIVATE KEY-----", ""));
      return new Signer(
          KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(encoded)), null);
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  /** Returns an encoded public key as OpenSSL prints it. */
  static String pem(byte[] encoded) {
    Base64.Encoder lines = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));
    return "-----BEGIN PUBLIC KEY-----\n"
        + lines.encodeToString(encoded)
        + "\n-----END PUBLIC KEY-----\n";
  }

  /** Returns the public key in PEM. */
  String publicKey() {
    return publicPem;
  }

  /** Returns a signature over digests by name. */
  byte[] sign(Map<String, String> resources) {
    return sign(resources, new Twist());
  }

  /** Returns a signature that differs from a right one. */
  byte[] sign(Map<String, String> resources, Twist twist) {
    byte[] payload =
        twist.payload.apply(utf8(JsonText.of(twist.statement.apply(statement(resources)))));
    String head =
        "DSSEv1 "
            + twist.payloadType.length()
            + " "
            + twist.payloadType
            + " "
            + payload.length
            + " ";
    byte[] signature;
    try {
      Signature ecdsa = Signature.getInstance(twist.hash.isEmpty() ? algorithm() : twist.hash);
      ecdsa.initSign(key);
      ecdsa.update(utf8(head));
      ecdsa.update(payload);
      signature = ecdsa.sign();
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
    Map<String, Object> envelope = new LinkedHashMap<>();
    envelope.put("payload", Base64.getEncoder().encodeToString(payload));
    envelope.put("payloadType", twist.payloadType);
    Map<String, Object> one = new LinkedHashMap<>();
    one.put("sig", Base64.getEncoder().encodeToString(twist.signature.apply(signature)));
    envelope.put("signatures", new ArrayList<>(List.of(one)));
    Map<String, Object> bundle = new LinkedHashMap<>();
    bundle.put("mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json");
    if (publicPem != null) {
      Map<String, Object> named = new LinkedHashMap<>();
      named.put("hint", Sha256.hex(utf8(publicPem)));
      bundle.put("verificationMaterial", new LinkedHashMap<>(Map.of("publicKey", named)));
    }
    bundle.put("dsseEnvelope", envelope);
    return utf8(JsonText.of(twist.bundle.apply(bundle)));
  }

  private static Map<String, Object> statement(Map<String, String> resources) {
    MessageDigest total = Sha256.start();
    resources.values().forEach(digest -> total.update(HexFormat.of().parseHex(digest)));
    Map<String, Object> predicate = new LinkedHashMap<>();
    predicate.put(
        "serialization",
        new LinkedHashMap<>(
            Map.of("method", "files", "hash_type", "sha256", "allow_symlinks", false)));
    predicate.put(
        "resources",
        resources.entrySet().stream()
            .map(
                each ->
                    new LinkedHashMap<String, Object>(
                        Map.of(
                            "name",
                            each.getKey(),
                            "algorithm",
                            "sha256",
                            "digest",
                            each.getValue())))
            .collect(Collectors.toCollection(ArrayList::new)));
    Map<String, Object> subject = new LinkedHashMap<>();
    subject.put("name", "1");
    subject.put(
        "digest", new LinkedHashMap<>(Map.of("sha256", HexFormat.of().formatHex(total.digest()))));
    Map<String, Object> statement = new LinkedHashMap<>();
    statement.put("_type", "https://in-toto.io/Statement/v1");
    statement.put("subject", new ArrayList<>(List.of(subject)));
    statement.put("predicateType", "https://model_signing/signature/v1.0");
    statement.put("predicate", predicate);
    return statement;
  }

  private String algorithm() {
    int bits = ((ECPrivateKey) key).getParams().getOrder().bitLength();
    return bits == 256 ? "SHA256withECDSA" : bits == 384 ? "SHA384withECDSA" : "SHA512withECDSA";
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
