package dev.twinrank.core.internal.trees;

import dev.twinrank.core.internal.json.Quote;

/** A graph holds what the Java engine cannot score with the runtime's bits. */
public final class UnknownGraph extends Exception {
  private static final long serialVersionUID = 1L;

  UnknownGraph(String reason) {
    super(reason, null, false, false);
  }

  /** Says what of a node is not known. */
  static UnknownGraph at(Graph.Node node, String what) {
    return new UnknownGraph(
        "node " + Quote.of(node.name()) + " (" + Quote.plain(node.operator()) + ") " + what);
  }
}
