package dev.twinrank.server.flow;

/** Why a request was turned away before any model ran. */
public enum Shed {
  /** As much work as may wait did wait. */
  LIMIT("limit"),
  /** As many candidates as may wait did wait. */
  ROWS("rows"),
  /** It had waited as long as a request may. */
  AGE("age"),
  /** Its deadline passed while it waited, or before. */
  DEADLINE("deadline"),
  /** Its client hung up while it waited. */
  HUNG_UP("hung_up");

  private final String label;

  Shed(String label) {
    this.label = label;
  }

  /** Returns the word that metrics use. */
  public String label() {
    return label;
  }
}
