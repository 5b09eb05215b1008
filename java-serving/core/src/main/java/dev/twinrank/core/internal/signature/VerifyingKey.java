package dev.twinrank.core.internal.signature;

import dev.twinrank.core.internal.Sha256;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.Signature;
import java.security.SignatureException;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECFieldFp;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A public key that signatures are verified with. Immutable and thread-safe. */
public final class VerifyingKey {
  private static final Pattern BEGIN = Pattern.compile("-----BEGIN ([A-Z0-9 ]*)-----");
  private static final String LABEL = "PUBLIC KEY";
  private static final String END = "-----END PUBLIC KEY-----";
  private static final int LINE = 64;
  private static final String HOW = " (openssl pkey -in private.pem -pubout)";

  private final Curve curve;
  private final ECPublicKey key;
  private final String hint;

  private VerifyingKey(Curve curve, ECPublicKey key, byte[] encoded) {
    this.curve = curve;
    this.key = key;
    this.hint = Sha256.hex(pem(encoded).getBytes(StandardCharsets.US_ASCII));
  }

  /**
   * Returns the key of a PEM text.
   *
   * @throws IllegalArgumentException if it is not one SubjectPublicKeyInfo of an EC key on P-256,
   *     P-384 or P-521; the message continues a sentence whose subject is the key
   */
  public static VerifyingKey of(String pem) {
    byte[] encoded = decode(pem);
    for (Curve curve : Curve.values()) {
      if (curve.holds(encoded)) {
        return new VerifyingKey(curve, onCurve(encoded), encoded);
      }
    }
    throw new IllegalArgumentException(
        "is no EC key on P-256, P-384 or P-521 with an uncompressed point; give such a key" + HOW);
  }

  private static byte[] decode(String pem) {
    List<String> labels = new ArrayList<>();
    int begin = 0;
    for (Matcher matcher = BEGIN.matcher(pem); matcher.find(); ) {
      labels.add(matcher.group(1));
      begin = matcher.end();
    }
    if (!labels.equals(List.of(LABEL))) {
      throw new IllegalArgumentException(
          "holds "
              + (labels.isEmpty() ? "no PEM text" : String.join(", ", labels))
              + "; expected one "
              + LABEL
              + HOW);
    }
    int end = pem.indexOf(END, begin);
    try {
      String body = end < 0 ? "?" : pem.substring(begin, end).replaceAll("[ \t\r\n]", "");
      byte[] decoded = Base64.getDecoder().decode(body);
      if (Base64.getEncoder().encodeToString(decoded).equals(body)) {
        return decoded;
      }
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("is no PEM text: its base64 is damaged or has no end", e);
    }
    throw new IllegalArgumentException(
        "is no PEM text: its base64 is not canonical (padded, no loose bits; RFC 4648)");
  }

  /** Returns the key, whose point is on its curve: the JDK alone does not look. */
  private static ECPublicKey onCurve(byte[] encoded) {
    ECPublicKey key;
    try {
      key =
          (ECPublicKey)
              KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(encoded));
    } catch (NoSuchAlgorithmException e) {
      throw unavailable(e);
    } catch (InvalidKeySpecException e) {
      throw new IllegalArgumentException("is refused by this Java runtime: " + e.getMessage(), e);
    }
    ECParameterSpec parameters = key.getParams();
    BigInteger p = ((ECFieldFp) parameters.getCurve().getField()).getP();
    ECPoint point = key.getW();
    BigInteger x = point.getAffineX();
    BigInteger y = point.getAffineY();
    BigInteger right =
        x.multiply(x)
            .add(parameters.getCurve().getA())
            .multiply(x)
            .add(parameters.getCurve().getB());
    boolean reduced = x.compareTo(p) < 0 && y.compareTo(p) < 0;
    if (!reduced || y.multiply(y).subtract(right).mod(p).signum() != 0) {
      throw new IllegalArgumentException("is damaged: its point is not on its curve");
    }
    return key;
  }

  /** Returns SHA-256 in hex of the key's PEM text, which is how a signature may name it. */
  String hint() {
    return hint;
  }

  /** Returns whether these bytes are this key's signature of that message. */
  boolean verifies(byte[] message, byte[] der) {
    if (!EcdsaDer.isCanonical(der, key.getParams().getOrder())) {
      return false;
    }
    try {
      Signature signature = Signature.getInstance(curve.algorithm());
      signature.initVerify(key);
      signature.update(message);
      return signature.verify(der);
    } catch (SignatureException e) {
      return false;
    } catch (GeneralSecurityException e) {
      throw unavailable(e);
    }
  }

  private static IllegalStateException unavailable(GeneralSecurityException e) {
    return new IllegalStateException(
        "this Java runtime has no ECDSA ("
            + e.getMessage()
            + "); an image made by jlink needs the module jdk.crypto.ec",
        e);
  }

  private static String pem(byte[] encoded) {
    Base64.Encoder lines = Base64.getMimeEncoder(LINE, "\n".getBytes(StandardCharsets.US_ASCII));
    return "-----BEGIN PUBLIC KEY-----\n" + lines.encodeToString(encoded) + "\n" + END + "\n";
  }
}
