package dev.twinrank.core.internal.engine;

import java.nio.file.Path;
import java.util.List;

/** A started runtime; it lives as long as the process. Thread-safe. */
public interface Engine {

  /** Returns its name, as its provider says it. */
  String name();

  /** Returns the release of the native library, for example {@code 1.29.0}. */
  String release();

  /**
   * Creates a session from the bytes of a model.
   *
   * @param model the very bytes that were checked; not changed and not kept
   * @param folder where {@code model.onnx.data} lies, if the model has one
   * @param inputs the graph's inputs, in the order of their buffers
   * @param outputs the outputs that are wanted, in the order of their buffers; no other is computed
   *     for the caller
   * @throws GraphFailure if the runtime refuses the graph
   */
  NativeGraph load(
      byte[] model,
      Path folder,
      SessionSettings settings,
      List<TensorSpec> inputs,
      List<TensorSpec> outputs)
      throws GraphFailure;
}
