package dev.twinrank.core;

/**
 * What happens to a missing, an invalid or an unseen value. Immutable and thread-safe.
 *
 * <p>The value of a default is the graph's business, so it is not here: a reader packs zeros and
 * the state of what is missing or invalid. What is unseen only the graph knows; a reader hears of
 * it where the policy is {@link #ERROR}.
 *
 * @since 0.1
 */
public enum Policy {
  /** The request is refused. */
  ERROR("error"),
  /** The graph puts the declared value in its place. */
  DEFAULT("default"),
  /** The graph gives it an embedding row of its own. */
  OWN_ROW("own_row");

  private final String label;

  Policy(String label) {
    this.label = label;
  }

  /** Returns the word that manifests use, for example {@code own_row}. */
  public String label() {
    return label;
  }
}
