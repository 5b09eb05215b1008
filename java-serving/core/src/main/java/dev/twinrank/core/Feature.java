package dev.twinrank.core;

import java.util.Objects;
import java.util.Optional;

/**
 * A named, typed raw input. Immutable and thread-safe.
 *
 * @param name the name, unique across both placements
 * @param placement once a request or once a candidate
 * @param dtype the type of the value, or of each element of the list
 * @param list present if the feature is a list
 * @param group the aligned sequence group that the list belongs to, if any
 * @param nonfinite whether NaN and the infinities are legal values
 * @param missing what an absent or null value means
 * @param invalid what a value of the wrong type or range means
 * @since 0.1
 */
public record Feature(
    String name,
    Placement placement,
    DType dtype,
    Optional<ListSpec> list,
    Optional<String> group,
    boolean nonfinite,
    Policy missing,
    Policy invalid) {

  /** Refuses nulls. */
  public Feature {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(placement, "placement");
    Objects.requireNonNull(dtype, "dtype");
    Objects.requireNonNull(list, "list");
    Objects.requireNonNull(group, "group");
    Objects.requireNonNull(missing, "missing");
    Objects.requireNonNull(invalid, "invalid");
  }

  /** Returns whether the graph sees a state column for this feature. */
  public boolean hasState() {
    return missing != Policy.ERROR || invalid != Policy.ERROR;
  }
}
