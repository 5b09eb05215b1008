/** Tests a scorer that somebody embeds against the bundle that it serves. */
module dev.twinrank.junit {
  requires com.fasterxml.jackson.core;
  requires java.net.http;
  requires transitive dev.twinrank.core;
  requires transitive org.junit.jupiter.api;

  exports dev.twinrank.junit;

  opens dev.twinrank.junit to
      org.junit.platform.commons;
}
