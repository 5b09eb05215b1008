package dev.twinrank.probe;

/** What is wrong with a plain graph or its values; it becomes a failure of family {@code graph}. */
final class GraphException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What went wrong, as the stable code that the failure's header carries. */
  enum Code {
    /** A file is not there, cannot be read, or is too large. */
    FILE_UNREADABLE("file_unreadable"),
    /** Bytes that are no value of ONNX, or not the one that is meant. */
    INVALID_VALUE("invalid_value"),
    /** A type that the binding cannot carry across its border, though the runtime may know it. */
    UNSUPPORTED_TYPE("unsupported_type"),
    /** The runtime does not take the graph. */
    GRAPH_REFUSED("graph_refused"),
    /** The runtime took the graph and failed in a run. */
    RUN_FAILED("run_failed");

    private final String text;

    Code(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }
  }

  private final Code code;

  GraphException(Code code, String message) {
    super(message);
    this.code = code;
  }

  GraphException(Code code, String message, Throwable cause) {
    super(message, cause);
    this.code = code;
  }

  Code code() {
    return code;
  }
}
