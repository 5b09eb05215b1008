package dev.twinrank.core.internal.pack;

import dev.twinrank.core.Feature;
import dev.twinrank.core.ListSpec;
import dev.twinrank.core.Policy;
import dev.twinrank.core.VectorSpec;
import java.util.OptionalInt;

/**
 * Where the values of one feature go. Offsets are columns; −1 means that there is none.
 *
 * @param feature the feature
 * @param index its place among the features of its placement
 * @param block the block of its values, as an index into the blocks of its placement
 * @param offset its first column there
 * @param length the column of its own length, in the placement's i64 block
 * @param state the column of its state, in the placement's i64 block
 * @param group its group, as an index into the groups of its placement, or −1
 */
record Slot(Feature feature, int index, int block, int offset, int length, int state, int group) {

  /** Returns whether its value is an array: a list or a vector. */
  boolean sequence() {
    return feature.list().isPresent() || feature.vector().isPresent();
  }

  /** Returns the one length that a vector has. */
  OptionalInt exactLength() {
    return feature
        .vector()
        .map(VectorSpec::length)
        .map(OptionalInt::of)
        .orElse(OptionalInt.empty());
  }

  /** Returns how many elements are kept. */
  int maxLength() {
    return exactLength().orElse(feature.list().map(ListSpec::maxLength).orElse(1));
  }

  boolean keepsLast() {
    return feature.list().map(list -> list.keep() == ListSpec.Keep.LAST).orElse(false);
  }

  /** Returns whether an invalid value refuses the request. */
  boolean refusesInvalid() {
    return feature.invalid() == Policy.ERROR;
  }

  boolean refusesMissing() {
    return feature.missing() == Policy.ERROR;
  }
}
