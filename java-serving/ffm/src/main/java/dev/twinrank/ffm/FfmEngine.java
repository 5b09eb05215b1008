package dev.twinrank.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.twinrank.core.internal.engine.Engine;
import dev.twinrank.core.internal.engine.GraphFailure;
import dev.twinrank.core.internal.engine.NativeFailure;
import dev.twinrank.core.internal.engine.NativeGraph;
import dev.twinrank.core.internal.engine.Natives;
import dev.twinrank.core.internal.engine.RoomyThread;
import dev.twinrank.core.internal.engine.SessionSettings;
import dev.twinrank.core.internal.engine.TensorSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;

/**
 * The C API as an engine. Thread-safe.
 *
 * <p>Its environment is never released and no shutdown hook is registered: threads may load, run,
 * fail and close sessions while the process ends.
 */
final class FfmEngine implements Engine {
  private static final int FATAL = 4;
  private static final int ARENA_ALLOCATOR = 1;
  private static final int DEFAULT_MEMORY = 0;

  private final Api api;
  private final long environment;
  private final long memoryInfo;

  private FfmEngine(Api api, long environment, long memoryInfo) {
    this.api = api;
    this.environment = environment;
    this.memoryInfo = memoryInfo;
  }

  /**
   * Loads the library and creates its environment.
   *
   * @throws IllegalStateException if that is not possible; the message says what to do
   */
  static FfmEngine start() {
    if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      throw new IllegalStateException(
          "this machine is big-endian; packed blocks are little-endian");
    }
    Api api = Api.of(library());
    return RoomyThread.call(() -> start(api));
  }

  @SuppressWarnings("restricted") // this is the module that asks for native access
  private static SymbolLookup library() {
    Natives natives = Natives.prepare();
    try {
      return SymbolLookup.libraryLookup(natives.runtime(), Arena.global());
    } catch (IllegalArgumentException e) {
      throw NativeFailure.of(e, natives.folder().toString());
    } finally {
      natives.discard();
    }
  }

  private static FfmEngine start(Api api) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_LONG);
      api.createEnv(FATAL, arena.allocateFrom("twinrank").address(), out.address());
      long environment = out.get(JAVA_LONG, 0);
      api.createCpuMemoryInfo(ARENA_ALLOCATOR, DEFAULT_MEMORY, out.address());
      return new FfmEngine(api, environment, out.get(JAVA_LONG, 0));
    } catch (GraphFailure e) {
      throw new IllegalStateException("ONNX Runtime cannot be started: " + e.getMessage(), e);
    }
  }

  @Override
  public String name() {
    return FfmEngineProvider.NAME;
  }

  @Override
  public String release() {
    return api.release();
  }

  @Override
  public NativeGraph load(
      byte[] model,
      Path folder,
      SessionSettings settings,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs)
      throws GraphFailure {
    try (Arena arena = Arena.ofConfined();
        SessionOptions options = SessionOptions.create(api, arena)) {
      options.apply(settings, folder);
      MemorySegment bytes = arena.allocate(Math.max(model.length, 1));
      MemorySegment.copy(model, 0, bytes, JAVA_BYTE, 0, model.length);
      MemorySegment out = arena.allocate(JAVA_LONG);
      api.createSession(
          environment, bytes.address(), model.length, options.handle(), out.address());
      return new FfmGraph(api, memoryInfo, out.get(JAVA_LONG, 0), inputs, outputs);
    }
  }
}
