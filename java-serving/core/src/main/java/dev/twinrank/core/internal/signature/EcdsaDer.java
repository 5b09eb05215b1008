package dev.twinrank.core.internal.signature;

import java.math.BigInteger;
import java.util.Arrays;

/**
 * The one encoding of an ECDSA signature: {@code SEQUENCE { INTEGER r, INTEGER s }} in DER.
 *
 * <p>Libraries differ in what else they take: longer lengths, padded integers, bytes behind the
 * end, and early releases of JDK 17 took r = s = 0 for a signature of everything. So that none of
 * it matters, nothing but the one encoding reaches a library.
 */
final class EcdsaDer {
  private static final int SEQUENCE = 0x30;
  private static final int INTEGER = 0x02;
  private static final int LONG_FORM_OF_ONE_BYTE = 0x81;
  private static final int FIRST_LONG_LENGTH = 0x80;

  private final byte[] der;
  private int at;

  private EcdsaDer(byte[] der) {
    this.der = der;
  }

  /** Returns whether this is the encoding of two integers from 1 to {@code order} − 1. */
  static boolean isCanonical(byte[] der, BigInteger order) {
    EcdsaDer reading = new EcdsaDer(der);
    return reading.sequence()
        && reading.integer(order)
        && reading.integer(order)
        && reading.at == der.length;
  }

  /** Reads the head of a sequence that reaches to the end. */
  private boolean sequence() {
    if (der.length < 2 || next() != SEQUENCE) {
      return false;
    }
    int length = next();
    if (length == LONG_FORM_OF_ONE_BYTE && at < der.length) {
      length = next();
      if (length < FIRST_LONG_LENGTH) {
        return false; // has a shorter form
      }
    } else if (length >= FIRST_LONG_LENGTH) {
      return false;
    }
    return length == der.length - at;
  }

  private boolean integer(BigInteger order) {
    if (der.length - at < 2 || next() != INTEGER) {
      return false;
    }
    int length = next();
    if (length < 1 || length >= FIRST_LONG_LENGTH || length > der.length - at) {
      return false;
    }
    byte[] bytes = Arrays.copyOfRange(der, at, at + length);
    at += length;
    BigInteger value = new BigInteger(bytes);
    return value.signum() > 0
        && value.compareTo(order) < 0
        && Arrays.equals(value.toByteArray(), bytes);
  }

  private int next() {
    return Byte.toUnsignedInt(der[at++]);
  }
}
