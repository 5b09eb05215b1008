package dev.twinrank.server;

import com.linecorp.armeria.common.HttpStatus;

/** The codes of the contract's service family, one for each entry of {@code codes.json}. */
enum ServiceCode {
  UNKNOWN_MODEL("unknown_model", 404, "no model of that name or version is loaded"),
  UNKNOWN_PATH("unknown_path", 404, "no such path"),
  METHOD_NOT_ALLOWED("method_not_allowed", 405, "the path exists, the method does not"),
  UNSUPPORTED_MEDIA_TYPE("unsupported_media_type", 415, "the Content-Type is not application/json"),
  BODY_TOO_LARGE("body_too_large", 413, "the request's body exceeds the server's limit"),
  INVALID_HTTP("invalid_http", 400, "the message is no HTTP that the server takes"),
  NOT_READY("not_ready", 503, "the server is starting or draining"),
  MODEL_CLOSED("model_closed", 503, "the model was closed while the request waited"),
  INTERNAL_ERROR("internal_error", 500, "a fault of the server");

  private final String code;
  private final int httpStatus;
  private final String meaning;

  ServiceCode(String code, int httpStatus, String meaning) {
    this.code = code;
    this.httpStatus = httpStatus;
    this.meaning = meaning;
  }

  String code() {
    return code;
  }

  int httpStatus() {
    return httpStatus;
  }

  String meaning() {
    return meaning;
  }

  /** Returns the code for a status that the HTTP layer itself decided on. */
  static ServiceCode ofStatus(HttpStatus status) {
    return switch (status.code()) {
      case 404 -> UNKNOWN_PATH;
      case 405 -> METHOD_NOT_ALLOWED;
      case 413 -> BODY_TOO_LARGE;
      case 415 -> UNSUPPORTED_MEDIA_TYPE;
      case 503 -> NOT_READY;
      default -> status.isClientError() ? INVALID_HTTP : INTERNAL_ERROR;
    };
  }
}
