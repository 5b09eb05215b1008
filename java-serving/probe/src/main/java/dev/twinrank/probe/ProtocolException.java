package dev.twinrank.probe;

/**
 * A frame or header that the protocol does not allow; it becomes a failure of family {@code
 * protocol}.
 */
final class ProtocolException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What went wrong, as the stable code that the failure's header carries. */
  enum Code {
    /** The bytes are no frame: a length is over the limit or contradicts the bytes that follow. */
    INVALID_FRAME("invalid_frame"),
    /** The header is not the JSON object that its operation takes. */
    INVALID_HEADER("invalid_header"),
    /** The header names an operation that the protocol does not have. */
    UNKNOWN_OP("unknown_op"),
    /** The operation speaks of the bundle loaded last, and none is. */
    NOT_LOADED("not_loaded"),
    /** The operation would replace a model that this testee was attached to. */
    ATTACHED("attached"),
    /** The answer would exceed the frame's limit. */
    RESPONSE_TOO_LARGE("response_too_large"),
    /** A fault of the testee. */
    INTERNAL_ERROR("internal_error");

    private final String text;

    Code(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }
  }

  private final Code code;

  ProtocolException(Code code, String message) {
    super(message);
    this.code = code;
  }

  ProtocolException(Code code, String message, Throwable cause) {
    super(message, cause);
    this.code = code;
  }

  Code code() {
    return code;
  }
}
