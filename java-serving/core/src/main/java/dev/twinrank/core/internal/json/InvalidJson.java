package dev.twinrank.core.internal.json;

/** The text is not the JSON that the contract allows; the message says what and where. */
public final class InvalidJson extends RuntimeException {
  private static final long serialVersionUID = 1L;

  InvalidJson(String message, Throwable cause) {
    super(message, cause);
  }
}
