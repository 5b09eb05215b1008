package dev.twinrank.core.internal.proto;

/** The bytes are not the message that they should be. */
public final class InvalidProto extends RuntimeException {
  private static final long serialVersionUID = 1L;

  InvalidProto(String message) {
    super(message);
  }
}
