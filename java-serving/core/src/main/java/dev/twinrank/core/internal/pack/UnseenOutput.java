package dev.twinrank.core.internal.pack;

import dev.twinrank.core.Feature;
import dev.twinrank.core.Placement;
import dev.twinrank.core.Policy;
import dev.twinrank.core.Schema;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * An output in which the graph counts the values that its vocabularies do not hold; section 4 of
 * the contract.
 *
 * @param placement once a request or once a candidate
 * @param features the features that refuse such values, a column each, in schema order
 */
public record UnseenOutput(Placement placement, List<Feature> features) {
  /** What the name of such an output, and of no other, begins with. */
  public static final String PREFIX = "unseen.";

  /** Copies the features. */
  public UnseenOutput {
    features = List.copyOf(features);
  }

  /** Returns the outputs that a schema asks of its graph, in the graph's order. */
  public static List<UnseenOutput> of(Schema schema) {
    List<UnseenOutput> outputs = new ArrayList<>();
    for (Placement placement : Placement.values()) {
      List<Feature> features =
          schema.features().stream()
              .filter(feature -> feature.placement() == placement)
              .filter(feature -> feature.unseen() == Policy.ERROR)
              .toList();
      if (!features.isEmpty()) {
        outputs.add(new UnseenOutput(placement, features));
      }
    }
    return outputs;
  }

  /** Returns the output's name in the graph. */
  public String name() {
    return PREFIX + placement.label();
  }

  /**
   * Looks at what a run has counted.
   *
   * @param counts int64 in a little-endian buffer, row-major, from its position to its limit; empty
   *     if the graph did not run
   * @throws dev.twinrank.core.ScoringException {@code unseen_value} for the first that is not 0
   */
  public void check(ByteBuffer counts) {
    int at = counts.position();
    for (int row = 0; at < counts.limit(); row++) {
      for (int i = 0; i < features.size(); i++) {
        long count = counts.getLong(at);
        at += Long.BYTES;
        if (count != 0) {
          OptionalInt candidate =
              placement == Placement.CONTEXT ? OptionalInt.empty() : OptionalInt.of(row);
          throw Refusals.unseen(features.get(i), candidate, count);
        }
      }
    }
  }
}
