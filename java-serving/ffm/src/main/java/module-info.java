/**
 * A second engine for twinrank, over the C API of the runtime that the official jar ships. It needs
 * Java 22 and native access; without them the core goes on with its own engine and says why.
 */
module dev.twinrank.ffm {
  requires dev.twinrank.core;

  provides dev.twinrank.core.internal.engine.EngineProvider with
      dev.twinrank.ffm.FfmEngineProvider;
}
