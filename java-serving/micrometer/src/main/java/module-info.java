/** Publishes what a twinrank model counts and times in a Micrometer registry. */
@SuppressWarnings("requires-transitive-automatic") // Micrometer has no descriptor of its own
module dev.twinrank.micrometer {
  requires transitive dev.twinrank.core;
  requires transitive micrometer.core;

  exports dev.twinrank.micrometer;
}
