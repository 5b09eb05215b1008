package dev.twinrank.core;

import java.util.Objects;
import java.util.Optional;

/**
 * A named, typed raw input. Immutable and thread-safe.
 *
 * @param name the name, unique across both placements
 * @param placement once a request or once a candidate
 * @param dtype the type of the value, or of each element of the list or vector
 * @param list present if the feature is a list
 * @param vector present if the feature is a vector; never together with a list
 * @param group the aligned sequence group that the list belongs to, if any
 * @param nonfinite whether NaN and the infinities are legal values
 * @param missing what an absent or null value means
 * @param invalid what a value of the wrong type, range or length means
 * @param unseen what a legal value means that a vocabulary of the graph does not hold; {@link
 *     Policy#OWN_ROW} also for dtypes that have no vocabulary
 * @since 0.1
 */
public record Feature(
    String name,
    Placement placement,
    DType dtype,
    Optional<ListSpec> list,
    Optional<VectorSpec> vector,
    Optional<String> group,
    boolean nonfinite,
    Policy missing,
    Policy invalid,
    Policy unseen) {

  /** Refuses nulls. */
  public Feature {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(placement, "placement");
    Objects.requireNonNull(dtype, "dtype");
    Objects.requireNonNull(list, "list");
    Objects.requireNonNull(vector, "vector");
    Objects.requireNonNull(group, "group");
    Objects.requireNonNull(missing, "missing");
    Objects.requireNonNull(invalid, "invalid");
    Objects.requireNonNull(unseen, "unseen");
  }

  /** Makes a feature that is no vector, and whose unseen values have a row of their own. */
  public Feature(
      String name,
      Placement placement,
      DType dtype,
      Optional<ListSpec> list,
      Optional<String> group,
      boolean nonfinite,
      Policy missing,
      Policy invalid) {
    this(
        name,
        placement,
        dtype,
        list,
        Optional.empty(),
        group,
        nonfinite,
        missing,
        invalid,
        Policy.OWN_ROW);
  }

  /** Returns whether the graph sees a state column for this feature. */
  public boolean hasState() {
    return missing != Policy.ERROR || invalid != Policy.ERROR;
  }
}
