package dev.twinrank.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.twinrank.core.SignaturePolicy.Mode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SignaturePolicyTest {
  private static final String KEY = Signer.on("secp256r1").publicKey();

  @TempDir Path folder;

  private static String refusal(String key) {
    return assertThrows(IllegalArgumentException.class, () -> SignaturePolicy.require(key))
        .getMessage();
  }

  @Test
  void needsAKeyUnlessItLooksAtNoSignature() {
    assertEquals(List.of(), SignaturePolicy.none().keys());
    assertEquals(Mode.NONE, ModelOptions.defaults().signature().mode());
    assertThrows(IllegalArgumentException.class, SignaturePolicy::warn);
    String message =
        assertThrows(IllegalArgumentException.class, SignaturePolicy::require).getMessage();
    assertTrue(message.contains("'require' needs at least one public key"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"secp256r1", "secp384r1", "secp521r1"})
  void takesAKeyOfEachCurveWithTextAroundItAndWithCarriageReturns(String curve) {
    String key = Signer.on(curve).publicKey();
    assertEquals(List.of(key), SignaturePolicy.require(key).keys());
    SignaturePolicy.warn("the key of 2026\r\n" + key.replace("\n", "\r\n") + "\r\n");
  }

  @Test
  void refusesWhatIsNoPublicKeyOfSuchACurve() throws GeneralSecurityException {
    KeyPairGenerator rsa = KeyPairGenerator.getInstance("RSA");
    rsa.initialize(2048);
    assertTrue(
        refusal(Signer.pem(rsa.generateKeyPair().getPublic().getEncoded())).contains("P-256"));
    assertTrue(refusal("").contains("no PEM text"));
    assertTrue(refusal(KEY.replace("PUBLIC KEY", "PRIVATE KEY")).contains("holds PRIVATE KEY"));
    assertTrue(refusal(KEY + KEY).contains("PUBLIC KEY, PUBLIC KEY"));
    assertTrue(refusal(KEY.substring(0, KEY.indexOf("-----END"))).contains("no end"));
    assertTrue(refusal(KEY.replaceFirst("\nM", "\n?")).contains("base64"));
    assertTrue(refusal(KEY.replaceFirst("\nMF", "\nMG")).contains("P-256"));
  }

  // tests/export/test_signature.py has the same list.
  @Test
  void takesOfTheTextsOfAKeyTheSameAsOtherReaders() throws IOException {
    String text = Files.readString(Contract.path("hostile/signatures/p256.pub.pem"));
    int first = text.indexOf('\n');
    String head = text.substring(0, first);
    String body = text.substring(first + 1);
    for (String taken :
        List.of(
            text.replace("\n", "\r\n"),
            text.replace("\n", "\r"),
            text.replace("\n", ""),
            text.replace("\n", "\n\t  "),
            head + "\n" + body.replace("==\n", "=\n=\n"),
            "\uFEFF" + text,
            "EC key\n" + text + "\0 end")) {
      SignaturePolicy.require(taken);
    }
    for (String refused :
        List.of(
            head + "\nProc-Type: 4,ENCRYPTED\n\n" + body,
            text.replace("=", ""),
            text.replace("A==", "B=="),
            head + "\n\f" + body,
            head + "\n\u000B" + body,
            text.replace("END", "ENDE"),
            text + text,
            text.replace("PUBLIC KEY", "public key"))) {
      assertTrue(refusal(refused).startsWith("key 0 "), refused);
    }
  }

  @Test
  void refusesAPointThatIsNotOnTheCurve() {
    byte[] encoded =
        Base64.getMimeDecoder().decode(KEY.replaceAll("-----(BEGIN|END) PUBLIC KEY-----", ""));
    encoded[encoded.length - 1] ^= 1;
    assertTrue(refusal(Signer.pem(encoded)).contains("not on its curve"));
    encoded[26] = 2; // a compressed point's first byte where an uncompressed one's must be
    assertTrue(refusal(Signer.pem(encoded)).contains("uncompressed"));
    encoded[26] = 6; // a hybrid point's
    assertTrue(refusal(Signer.pem(encoded)).contains("uncompressed"));
  }

  @Test
  void readsKeysFromFilesAndNamesTheFileThatHoldsNone() throws IOException {
    Path good = Files.writeString(folder.resolve("good.pem"), KEY);
    assertEquals(
        new SignaturePolicy(Mode.WARN, List.of(KEY)),
        SignaturePolicy.ofFiles(Mode.WARN, List.of(good)));
    for (Path bad :
        List.of(
            Files.write(folder.resolve("bad.pem"), new byte[] {(byte) 0x80, 0}),
            Files.write(folder.resolve("large.pem"), new byte[1 << 17]),
            folder,
            folder.resolve("absent.pem"))) {
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> SignaturePolicy.ofFiles(Mode.REQUIRE, List.of(good, bad)))
              .getMessage();
      assertTrue(message.startsWith("the key file " + bad + " "), message);
      assertFalse(message.contains("Exception"), message);
      assertEquals(
          bad.endsWith("absent.pem"),
          message.equals("the key file " + bad + " does not exist"),
          message);
    }
  }
}
