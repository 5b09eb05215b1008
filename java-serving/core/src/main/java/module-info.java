/** Opens twinrank bundles, proves them, and scores slates. */
@SuppressWarnings("module") // the engine for newer JDKs and the probe are artifacts of their own
module dev.twinrank.core {
  requires com.dynatrace.hash4j;
  requires com.fasterxml.jackson.core;
  requires com.microsoft.onnxruntime;

  uses dev.twinrank.core.internal.engine.EngineProvider;
  uses dev.twinrank.core.internal.trees.TreeKernelProvider;

  exports dev.twinrank.core;
  exports dev.twinrank.core.internal.engine to
      dev.twinrank.ffm,
      dev.twinrank.probe;
  exports dev.twinrank.core.internal.jni to
      dev.twinrank.probe;
  exports dev.twinrank.core.internal.proto to
      dev.twinrank.probe;
  exports dev.twinrank.core.internal.trees to
      dev.twinrank.vector;
}
