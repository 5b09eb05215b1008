package dev.twinrank.ffm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.SessionSettings;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Native session options; a session copies them, so they live only until it is created. */
final class SessionOptions implements AutoCloseable {
  private static final int FATAL = 4;
  private static final int SEQUENTIAL = 0;
  private static final int PARALLEL = 1;

  private final Api api;
  private final Arena arena;
  private final long handle;

  private SessionOptions(Api api, Arena arena, long handle) {
    this.api = api;
    this.arena = arena;
    this.handle = handle;
  }

  /** Creates options whose texts are laid in an arena. */
  static SessionOptions create(Api api, Arena arena) throws GraphFailure {
    MemorySegment out = arena.allocate(JAVA_LONG);
    api.createSessionOptions(out.address());
    return new SessionOptions(api, arena, out.get(JAVA_LONG, 0));
  }

  void apply(SessionSettings settings, Path folder) throws GraphFailure {
    api.setOptimization(
        handle,
        switch (settings.optimization()) {
          case NONE -> 0;
          case BASIC -> 1;
          case EXTENDED -> 2;
          case ALL -> 99;
        });
    api.setExecutionMode(handle, settings.parallel() ? PARALLEL : SEQUENTIAL);
    api.setIntraOpThreads(handle, settings.intraOpThreads());
    api.setInterOpThreads(handle, settings.interOpThreads());
    api.setCpuMemArena(handle, settings.cpuMemArena());
    api.setMemPattern(handle, settings.memPattern());
    entry("session.disable_prepacking", settings.prepacking() ? "0" : "1");
    entry("session.intra_op.allow_spinning", "0");
    entry("session.inter_op.allow_spinning", "0");
    entry(
        "session.model_external_initializers_file_folder_path", folder.toAbsolutePath().toString());
    api.setLogSeverity(handle, FATAL);
  }

  private void entry(String key, String value) throws GraphFailure {
    api.addConfigEntry(
        handle, arena.allocateFrom(key).address(), arena.allocateFrom(value).address());
  }

  long handle() {
    return handle;
  }

  @Override
  public void close() {
    api.releaseSessionOptions(handle);
  }
}
