package dev.twinrank.core.internal.bundle;

/** A golden, or an attestation of one, contradicts the contract or the manifest. */
final class Contradiction extends RuntimeException {
  private static final long serialVersionUID = 1L;

  Contradiction(String message) {
    super(message);
  }
}
