package dev.twinrank.core;

/**
 * What happens to a missing or an invalid value. Immutable and thread-safe.
 *
 * <p>The value of a default is the graph's business, so it is not here: a reader packs zeros and
 * the state.
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
