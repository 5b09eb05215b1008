package dev.twinrank.core;

/**
 * Where a feature lives: once a request, or once a candidate. Immutable and thread-safe.
 *
 * @since 0.1
 */
public enum Placement {
  /** Given once a request: user, query, device, history. */
  CONTEXT("context"),
  /** Given once a candidate. */
  CANDIDATE("candidate");

  private final String label;

  Placement(String label) {
    this.label = label;
  }

  /** Returns the word that manifests use: {@code context} or {@code candidate}. */
  public String label() {
    return label;
  }
}
