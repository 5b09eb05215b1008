/** Opens twinrank bundles, proves them, and scores slates. */
module dev.twinrank.core {
  requires com.dynatrace.hash4j;
  requires com.fasterxml.jackson.core;
  requires com.microsoft.onnxruntime;

  exports dev.twinrank.core;
}
