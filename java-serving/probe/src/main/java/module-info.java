/** The probe protocol of the contract, answered by the core. */
module dev.twinrank.probe {
  requires transitive dev.twinrank.core;
  requires com.dynatrace.hash4j;
  requires com.fasterxml.jackson.core;
  requires com.microsoft.onnxruntime;

  exports dev.twinrank.probe;
}
