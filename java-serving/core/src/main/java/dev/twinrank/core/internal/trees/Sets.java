package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.trees.Graph.Node;
import java.util.Arrays;
import java.util.Optional;

/** The sets of the splits that ask for membership. Immutable. */
final class Sets {
  // Beyond it a float64 does not tell an integer from its neighbour.
  private static final double LARGEST = 0x1p53;

  private final Node node;
  private final double[] members;
  // By split, where its set begins; the number of members at the end.
  private final int[] starts;
  private final int[] ends;

  /**
   * Finds the sets: one after another in the order of their splits, each ended by NaN.
   *
   * @throws UnknownGraph if they are not as many as the splits that need one
   */
  Sets(Node node, long[] modes, Type type) throws UnknownGraph {
    this.node = node;
    Values given = node.tensor("membership_values");
    if (given != null && !given.type().equals(Optional.of(type))) {
      throw UnknownGraph.at(node, "has another type in membership_values");
    }
    members = given == null ? new double[0] : given.doubles();
    starts = new int[modes.length];
    ends = new int[modes.length];
    int at = 0;
    for (int i = 0; i < modes.length; i++) {
      if (modes[i] == Forest.MEMBER) {
        starts[i] = at;
        while (at < members.length && !Double.isNaN(members[at])) {
          at++;
        }
        ends[i] = at++;
      }
    }
    if (at != members.length && at != members.length + 1) {
      throw UnknownGraph.at(node, "has not one set for each split that needs one");
    }
  }

  /**
   * Returns the set of a split, ascending, each member once.
   *
   * @throws UnknownGraph if it is empty, or holds what is no category
   */
  long[] of(int split) throws UnknownGraph {
    double[] set =
        Arrays.copyOfRange(members, starts[split], Math.min(ends[split], members.length));
    if (set.length == 0) {
      throw UnknownGraph.at(node, "has the empty set at split " + split);
    }
    for (double member : set) {
      if (!(member >= 0 && member < LARGEST && member == Math.rint(member))) {
        throw UnknownGraph.at(node, "has the member " + member + ", which is no category");
      }
    }
    return Arrays.stream(set).mapToLong(each -> (long) each).sorted().distinct().toArray();
  }
}
