package dev.twinrank.core.internal.signature;

import java.util.HexFormat;

/** The curves that a signature may be on, and the hash that goes with each. */
enum Curve {
  P_256("SHA256withECDSA", 32, "3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
  P_384("SHA384withECDSA", 48, "3076301006072a8648ce3d020106052b8104002203620004"),
  P_521("SHA512withECDSA", 66, "30819b301006072a8648ce3d020106052b810400230381860004");

  private final String algorithm;
  private final int coordinateBytes;
  // In DER nothing before the point can vary; the last byte, 04, is that of an uncompressed point.
  private final String prefix;

  Curve(String algorithm, int coordinateBytes, String prefix) {
    this.algorithm = algorithm;
    this.coordinateBytes = coordinateBytes;
    this.prefix = prefix;
  }

  /** Returns the JDK's name of the signature algorithm. */
  String algorithm() {
    return algorithm;
  }

  /** Returns whether this is a SubjectPublicKeyInfo on this curve with an uncompressed point. */
  boolean holds(byte[] encoded) {
    return encoded.length == prefix.length() / 2 + 2 * coordinateBytes
        && HexFormat.of().formatHex(encoded).startsWith(prefix);
  }
}
