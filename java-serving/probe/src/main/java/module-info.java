/** The probe protocol of the contract, answered by the core. */
module dev.twinrank.probe {
  requires transitive dev.twinrank.core;
  requires com.fasterxml.jackson.core;

  exports dev.twinrank.probe;
}
