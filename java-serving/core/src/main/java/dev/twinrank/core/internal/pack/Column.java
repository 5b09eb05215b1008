package dev.twinrank.core.internal.pack;

/**
 * One entry of a block: what its columns hold.
 *
 * @param source the feature's name, or the group's for a group's length
 * @param group whether {@code source} names a group
 * @param role what is in it
 * @param offset the first column
 * @param width the number of columns
 */
public record Column(String source, boolean group, Role role, int offset, int width) {

  /** What a column holds. */
  public enum Role {
    /** One value. */
    VALUE("value"),
    /** The elements of a list or vector, side by side. */
    VALUES("values"),
    /** The number of elements after truncation. */
    LENGTH("length"),
    /** 0 missing, 1 present, 2 invalid. */
    STATE("state");

    private final String label;

    Role(String label) {
      this.label = label;
    }

    /** Returns the manifest's word. */
    public String label() {
      return label;
    }
  }
}
