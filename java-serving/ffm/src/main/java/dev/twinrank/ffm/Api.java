package dev.twinrank.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;

import dev.twinrank.core.internal.engine.GraphFailure;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;

/**
 * The functions of {@code OrtApi} that the engine calls. Their places in the table never change
 * between releases; a release only adds at the end. Every status is checked, copied and released.
 * Thread-safe.
 */
final class Api {
  /** The version of the table that the pinned release has, so no older library is taken for it. */
  static final int VERSION = 29;

  private static final int ENTRIES = 138;

  private final String release;
  private final MemorySegment table;
  private final MemorySegment getErrorMessage;
  private final MemorySegment releaseStatus;
  private final MemorySegment run;
  private final MemorySegment runWithBinding;
  private final MemorySegment createTensor;
  private final MemorySegment releaseValue;

  private Api(String release, MemorySegment table) {
    this.release = release;
    this.table = table;
    this.getErrorMessage = function(2);
    this.run = function(9);
    this.createTensor = function(49);
    this.releaseStatus = function(93);
    this.releaseValue = function(96);
    this.runWithBinding = function(133);
  }

  /**
   * Takes the functions of a loaded library.
   *
   * @throws IllegalStateException if it is not ONNX Runtime, or older than the pinned release
   */
  static Api of(SymbolLookup library) {
    MemorySegment base =
        library
            .find("OrtGetApiBase")
            .orElseThrow(
                () -> new IllegalStateException("the library has no function OrtGetApiBase"));
    MemorySegment functions = Calls.table(Calls.call(base), 2);
    String release = Calls.text(Calls.call(functions.getAtIndex(ADDRESS, 1)));
    long table = Calls.call(functions.getAtIndex(ADDRESS, 0), VERSION);
    if (table == 0) {
      throw new IllegalStateException(
          "ONNX Runtime "
              + release
              + " does not know version "
              + VERSION
              + " of its C API; use the release that this version of twinrank is built with");
    }
    return new Api(release, Calls.table(table, ENTRIES));
  }

  private MemorySegment function(int slot) {
    return table.getAtIndex(ADDRESS, slot);
  }

  String release() {
    return release;
  }

  void createEnv(int level, long name, long out) throws GraphFailure {
    check(Calls.call(function(3), level, name, out));
  }

  void createCpuMemoryInfo(int allocator, int memory, long out) throws GraphFailure {
    check(Calls.call(function(69), allocator, memory, out));
  }

  void createSessionOptions(long out) throws GraphFailure {
    check(Calls.call(function(10), out));
  }

  void setExecutionMode(long options, int mode) throws GraphFailure {
    check(Calls.call(function(13), options, mode));
  }

  void setMemPattern(long options, boolean enabled) throws GraphFailure {
    check(Calls.call(function(enabled ? 16 : 17), options));
  }

  void setCpuMemArena(long options, boolean enabled) throws GraphFailure {
    check(Calls.call(function(enabled ? 18 : 19), options));
  }

  void setLogSeverity(long options, int level) throws GraphFailure {
    check(Calls.call(function(22), options, level));
  }

  void setOptimization(long options, int level) throws GraphFailure {
    check(Calls.call(function(23), options, level));
  }

  void setIntraOpThreads(long options, int threads) throws GraphFailure {
    check(Calls.call(function(24), options, threads));
  }

  void setInterOpThreads(long options, int threads) throws GraphFailure {
    check(Calls.call(function(25), options, threads));
  }

  void addConfigEntry(long options, long key, long value) throws GraphFailure {
    check(Calls.call(function(130), options, key, value));
  }

  void releaseSessionOptions(long options) {
    Calls.run(function(100), options);
  }

  void createSession(long env, long model, long length, long options, long out)
      throws GraphFailure {
    check(Calls.call(function(8), env, model, length, options, out));
  }

  void releaseSession(long session) {
    Calls.run(function(95), session);
  }

  void createRunOptions(long out) throws GraphFailure {
    check(Calls.call(function(39), out));
  }

  void terminate(long runOptions) throws GraphFailure {
    check(Calls.call(function(46), runOptions));
  }

  void releaseRunOptions(long runOptions) {
    Calls.run(function(97), runOptions);
  }

  void createTensor(
      long memoryInfo, long data, long bytes, long shape, long rank, int type, long out)
      throws GraphFailure {
    check(Calls.call(createTensor, memoryInfo, data, bytes, shape, rank, type, out));
  }

  void releaseValue(long value) {
    Calls.run(releaseValue, value);
  }

  void createIoBinding(long session, long out) throws GraphFailure {
    check(Calls.call(function(134), session, out));
  }

  void bindInput(long binding, long name, long value) throws GraphFailure {
    check(Calls.call(function(136), binding, name, value));
  }

  void bindOutput(long binding, long name, long value) throws GraphFailure {
    check(Calls.call(function(137), binding, name, value));
  }

  void releaseIoBinding(long binding) {
    Calls.run(function(135), binding);
  }

  void run(long session, long runOptions, long binding) throws GraphFailure {
    check(Calls.call(runWithBinding, session, runOptions, binding));
  }

  void run(
      long session,
      long runOptions,
      long inputNames,
      long inputs,
      long inputCount,
      long outputNames,
      long outputCount,
      long outputs)
      throws GraphFailure {
    check(
        Calls.call(
            run,
            session,
            runOptions,
            inputNames,
            inputs,
            inputCount,
            outputNames,
            outputCount,
            outputs));
  }

  private void check(long status) throws GraphFailure {
    if (status != 0) {
      String message = Calls.text(Calls.call(getErrorMessage, status));
      Calls.run(releaseStatus, status);
      throw new GraphFailure(message);
    }
  }
}
