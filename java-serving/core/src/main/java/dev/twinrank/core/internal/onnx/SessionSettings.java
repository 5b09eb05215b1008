package dev.twinrank.core.internal.onnx;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.OrtSession.SessionOptions.ExecutionMode;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;

/**
 * The session options that a manifest names; every one changes bits somewhere.
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
    NONE(OptLevel.NO_OPT),
    /** Those that keep the operators. */
    BASIC(OptLevel.BASIC_OPT),
    /** And fusions. */
    EXTENDED(OptLevel.EXTENDED_OPT),
    /** And memory layouts. */
    ALL(OptLevel.ALL_OPT);

    private final OptLevel level;

    Optimization(OptLevel level) {
      this.level = level;
    }
  }

  /** Returns what section 3 of the contract shows, and the canary runs under. */
  public static SessionSettings standard() {
    return new SessionSettings(Optimization.ALL, false, 1, 1, true, true, true);
  }

  /** Returns new options; the caller closes them after the session. */
  SessionOptions toOptions() throws OrtException {
    SessionOptions options = new SessionOptions();
    try {
      options.setOptimizationLevel(optimization.level);
      options.setExecutionMode(parallel ? ExecutionMode.PARALLEL : ExecutionMode.SEQUENTIAL);
      options.setIntraOpNumThreads(intraOpThreads);
      options.setInterOpNumThreads(interOpThreads);
      options.setCPUArenaAllocator(cpuMemArena);
      options.setMemoryPatternOptimization(memPattern);
      options.addConfigEntry("session.disable_prepacking", prepacking ? "0" : "1");
      // Idle threads that spin would take the cores of callers; bits do not depend on it.
      options.addConfigEntry("session.intra_op.allow_spinning", "0");
      options.addConfigEntry("session.inter_op.allow_spinning", "0");
      // A library does not print: whatever fails comes as an exception.
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL);
      return options;
    } catch (OrtException | RuntimeException e) {
      options.close();
      throw e;
    }
  }
}
