package dev.twinrank.core.internal.engine;

/**
 * The session options that a manifest names; every one changes bits somewhere. Beside them every
 * engine sets {@code session.intra_op.allow_spinning} and {@code session.inter_op.allow_spinning}
 * to 0 (idle threads would take the cores of callers; bits do not depend on it), and a log level of
 * fatal (a library does not print: whatever fails comes as an exception).
 *
 * @param optimization which graph optimisations run
 * @param parallel whether branches of the graph run at once
 * @param intraOpThreads threads within an operator
 * @param interOpThreads threads between operators
 * @param cpuMemArena whether memory is kept in an arena
 * @param memPattern whether allocations are planned
 * @param prepacking whether constant weights are packed at load
 */
public record SessionSettings(
    Optimization optimization,
    boolean parallel,
    int intraOpThreads,
    int interOpThreads,
    boolean cpuMemArena,
    boolean memPattern,
    boolean prepacking) {

  /** The levels of graph optimisation. */
  public enum Optimization {
    /** None. */
    NONE,
    /** Those that keep the operators. */
    BASIC,
    /** And fusions. */
    EXTENDED,
    /** And memory layouts. */
    ALL
  }

  /** Returns what section 3 of the contract shows, and the canary runs under. */
  public static SessionSettings standard() {
    return new SessionSettings(Optimization.ALL, false, 1, 1, true, true, true);
  }
}
