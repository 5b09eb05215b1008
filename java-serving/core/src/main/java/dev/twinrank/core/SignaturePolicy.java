package dev.twinrank.core;

import dev.twinrank.core.internal.signature.VerifyingKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Whether a bundle must be signed, and by whom. Immutable and thread-safe.
 *
 * <p>Keys are public keys in PEM (SubjectPublicKeyInfo) on P-256, P-384 or P-521. Several keys
 * allow rotation: one that verifies is enough.
 *
 * @param mode what a signature decides
 * @param keys the keys in PEM; at least one unless the mode is {@link Mode#NONE}
 * @since 0.1
 */
public record SignaturePolicy(Mode mode, List<String> keys) {
  private static final long LARGEST_KEY_FILE = 1 << 16;

  /**
   * What a signature decides. Immutable and thread-safe.
   *
   * @since 0.1
   */
  public enum Mode {
    /** No signature is looked at. */
    NONE("none"),
    /** The verification says whether the signature is missing, invalid or valid. */
    WARN("warn"),
    /** A bundle without a valid signature is refused. */
    REQUIRE("require");

    private final String label;

    Mode(String label) {
      this.label = label;
    }

    /** Returns the word of the contract: {@code none}, {@code warn} or {@code require}. */
    public String label() {
      return label;
    }
  }

  /**
   * Checks the keys.
   *
   * @throws IllegalArgumentException if a key is no such key, or there is none for a mode that
   *     needs one
   */
  public SignaturePolicy {
    Objects.requireNonNull(mode, "mode");
    keys = List.copyOf(keys);
    for (int i = 0; i < keys.size(); i++) {
      try {
        VerifyingKey.of(keys.get(i));
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("key " + i + " " + e.getMessage(), e);
      }
    }
    if (mode != Mode.NONE && keys.isEmpty()) {
      throw new IllegalArgumentException(
          "the signature policy '" + mode.label() + "' needs at least one public key in PEM");
    }
  }

  /** Returns the policy that looks at no signature. */
  public static SignaturePolicy none() {
    return new SignaturePolicy(Mode.NONE, List.of());
  }

  /**
   * Returns the policy that reports on signatures.
   *
   * @param keys at least one public key in PEM
   * @throws IllegalArgumentException if there is no key, or one is unusable
   */
  public static SignaturePolicy warn(String... keys) {
    return new SignaturePolicy(Mode.WARN, List.of(keys));
  }

  /**
   * Returns the policy that refuses what is not signed.
   *
   * @param keys at least one public key in PEM
   * @throws IllegalArgumentException if there is no key, or one is unusable
   */
  public static SignaturePolicy require(String... keys) {
    return new SignaturePolicy(Mode.REQUIRE, List.of(keys));
  }

  /**
   * Returns a policy whose keys lie in files, one a file.
   *
   * @throws IllegalArgumentException if a file cannot be read or holds no such key, or there is
   *     none for a mode that needs one
   */
  public static SignaturePolicy ofFiles(Mode mode, List<Path> files) {
    List<String> keys = new ArrayList<>();
    for (Path file : files) {
      try {
        if (Files.size(file) > LARGEST_KEY_FILE) {
          throw new IllegalArgumentException("has more than " + LARGEST_KEY_FILE + " bytes");
        }
        // One byte a character: whatever is not ASCII is then refused as no PEM.
        String key = Files.readString(file, StandardCharsets.ISO_8859_1);
        VerifyingKey.of(key);
        keys.add(key);
      } catch (NoSuchFileException e) {
        throw new IllegalArgumentException("the key file " + file + " does not exist", e);
      } catch (AccessDeniedException e) {
        throw new IllegalArgumentException(
            "the key file " + file + " cannot be read: permission denied", e);
      } catch (IOException e) {
        throw new IllegalArgumentException(
            "the key file " + file + " cannot be read: " + e.getMessage(), e);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("the key file " + file + " " + e.getMessage(), e);
      }
    }
    return new SignaturePolicy(mode, keys);
  }
}
