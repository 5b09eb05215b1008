package dev.twinrank.core.internal.signature;

import com.fasterxml.jackson.core.JsonFactory;
import dev.twinrank.core.internal.Sha256;
import dev.twinrank.core.internal.json.InvalidJson;
import dev.twinrank.core.internal.json.JsonCursor;
import dev.twinrank.core.internal.json.JsonTree;
import dev.twinrank.core.internal.json.Quote;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The text of a signature: a Sigstore bundle around a DSSE envelope around an in-toto statement.
 */
public final class SignatureFile {
  /** The most bytes that it may have. */
  public static final int MAX_BYTES = 16 << 20;

  private static final JsonFactory JSON = JsonCursor.factory(32);
  private static final String MEDIA_TYPES = "application/vnd.dev.sigstore.bundle";
  private static final String PAYLOAD_TYPE = "application/vnd.in-toto+json";
  private static final String STATEMENT = "https://in-toto.io/Statement/v1";
  private static final String PREDICATE = "https://model_signing/signature/v1.0";
  private static final String SHA_256 = "sha256";
  private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");

  /** Says why it does not verify. */
  private static final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refused(String message) {
      super(message);
    }
  }

  private SignatureFile() {}

  /**
   * Returns why a signature does not verify, or nothing if it does.
   *
   * @param text the bytes of the file
   * @param resources what it must cover: SHA-256 in lower-case hex by name
   * @param keys the keys of which one must verify it
   */
  public static Optional<String> refusal(
      byte[] text, Map<String, String> resources, List<VerifyingKey> keys) {
    try {
      if (text.length > MAX_BYTES) {
        throw new Refused("has more than " + MAX_BYTES + " bytes, the most that are allowed");
      }
      statement(document(envelope(document(text, "it"), keys), "the payload"), resources);
      return Optional.empty();
    } catch (Refused e) {
      return Optional.of(e.getMessage());
    }
  }

  /** Returns the payload, after one of the keys has verified it. */
  private static byte[] envelope(Map<?, ?> document, List<VerifyingKey> keys) {
    if (!(document.get("mediaType") instanceof String type) || !type.startsWith(MEDIA_TYPES)) {
      throw new Refused("has no mediaType that begins with " + MEDIA_TYPES);
    }
    Map<?, ?> envelope = object(document, "dsseEnvelope");
    expect(envelope, "payloadType", PAYLOAD_TYPE);
    byte[] payload = base64(envelope, "payload");
    byte[] signature = base64(only(envelope, "signatures"), "sig");
    byte[] signed = authenticated(payload);
    if (named(document, keys).stream().noneMatch(key -> key.verifies(signed, signature))) {
      throw new Refused("is no signature of its payload under any of the given keys");
    }
    return payload;
  }

  /** Returns the keys that it may be of: the one that it names, or all. */
  private static List<VerifyingKey> named(Map<?, ?> document, List<VerifyingKey> keys) {
    if (!document.containsKey("verificationMaterial")) {
      return keys;
    }
    Map<?, ?> material = object(document, "verificationMaterial");
    if (!material.containsKey("publicKey")) {
      return keys;
    }
    Map<?, ?> key = object(material, "publicKey");
    if (!key.containsKey("hint")) {
      return keys;
    }
    List<VerifyingKey> named =
        keys.stream().filter(each -> each.hint().equals(key.get("hint"))).toList();
    if (named.isEmpty()) {
      throw new Refused("names a key that is none of the " + keys.size() + " given");
    }
    return named;
  }

  /** Returns what is signed: DSSE's pre-authentication encoding. */
  private static byte[] authenticated(byte[] payload) {
    String head =
        "DSSEv1 " + PAYLOAD_TYPE.length() + " " + PAYLOAD_TYPE + " " + payload.length + " ";
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(head.getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(payload);
    return out.toByteArray();
  }

  private static void statement(Map<?, ?> statement, Map<String, String> expected) {
    expect(statement, "_type", STATEMENT);
    expect(statement, "predicateType", PREDICATE);
    Map<?, ?> predicate = object(statement, "predicate");
    Map<?, ?> serialization = object(predicate, "serialization");
    expect(serialization, "method", "files");
    expect(serialization, "hash_type", SHA_256);
    Map<String, String> signed = resources(predicate);
    MessageDigest total = Sha256.start();
    signed.values().forEach(digest -> total.update(HexFormat.of().parseHex(digest)));
    String subject = HexFormat.of().formatHex(total.digest());
    if (!subject.equals(object(only(statement, "subject"), "digest").get(SHA_256))) {
      throw new Refused("has a subject that is not the digest of its resources");
    }
    for (String name : new TreeSet<>(expected.keySet())) {
      String digest = signed.remove(name);
      if (digest == null) {
        throw new Refused("does not cover " + name);
      }
      if (!digest.equals(expected.get(name))) {
        throw new Refused(
            "covers another " + name + ": SHA-256 " + digest + " instead of " + expected.get(name));
      }
    }
    if (!signed.isEmpty()) {
      throw new Refused(
          "covers " + Quote.of(signed.keySet().iterator().next()) + ", which is none of the files");
    }
  }

  /** Returns digest by name, in the order of the text. */
  private static Map<String, String> resources(Map<?, ?> predicate) {
    if (!(predicate.get("resources") instanceof List<?> list)) {
      throw new Refused("has no array resources");
    }
    Map<String, String> found = new LinkedHashMap<>();
    for (Object each : list) {
      if (!(each instanceof Map<?, ?> resource)
          || !(resource.get("name") instanceof String name)
          || !SHA_256.equals(resource.get("algorithm"))
          || !(resource.get("digest") instanceof String digest)
          || !DIGEST.matcher(digest).matches()) {
        throw new Refused(
            "has a resource that is not a name, the algorithm sha256 and a digest of 64 lower-case"
                + " hex digits");
      }
      if (found.put(name, digest) != null) {
        throw new Refused("covers " + Quote.of(name) + " twice");
      }
    }
    return found;
  }

  private static Map<?, ?> document(byte[] text, String what) {
    try {
      if (JsonTree.readSound(text, JSON) instanceof Map<?, ?> document) {
        return document;
      }
    } catch (InvalidJson e) {
      throw new Refused(what + " is not the JSON that is allowed: " + e.getMessage());
    }
    throw new Refused(what + " is no JSON object");
  }

  private static Map<?, ?> object(Map<?, ?> parent, String name) {
    if (parent.get(name) instanceof Map<?, ?> object) {
      return object;
    }
    throw new Refused("has no object " + name);
  }

  /** Returns the one object of an array. */
  private static Map<?, ?> only(Map<?, ?> parent, String name) {
    if (parent.get(name) instanceof List<?> list
        && list.size() == 1
        && list.get(0) instanceof Map<?, ?> object) {
      return object;
    }
    throw new Refused("has no array " + name + " of exactly one object");
  }

  private static void expect(Map<?, ?> parent, String name, String value) {
    if (!value.equals(parent.get(name))) {
      throw new Refused("has another " + name + " than " + value);
    }
  }

  /** Decodes base64 of which there is one text for the same bytes. */
  private static byte[] base64(Map<?, ?> parent, String name) {
    try {
      if (parent.get(name) instanceof String text) {
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        byte[] decoded = Base64.getDecoder().decode(encoded);
        if (Arrays.equals(Base64.getEncoder().encode(decoded), encoded)) {
          return decoded;
        }
      }
    } catch (IllegalArgumentException e) {
      throw new Refused("has a " + name + " that is no base64");
    }
    throw new Refused("has a " + name + " that is no canonical base64 (padded, RFC 4648)");
  }
}
