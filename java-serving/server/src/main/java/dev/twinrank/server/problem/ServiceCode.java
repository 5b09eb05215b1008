package dev.twinrank.server.problem;

import com.linecorp.armeria.common.HttpStatus;

/** The codes of the contract's service family, one for each entry of {@code codes.json}. */
public enum ServiceCode {
  UNKNOWN_MODEL("unknown_model", 404, "no model of that name or version is loaded"),
  INVALID_TENSOR(
      "invalid_tensor",
      400,
      "a tensor whose shape, type or data contradict each other or the model"),
  UNKNOWN_OUTPUT("unknown_output", 400, "a requested output that the model does not have"),
  ADMIN_ONLY("admin_only", 403, "the admin listener alone does this"),
  UNKNOWN_PATH("unknown_path", 404, "no such path"),
  METHOD_NOT_ALLOWED("method_not_allowed", 405, "the path exists, the method does not"),
  UNSUPPORTED_MEDIA_TYPE("unsupported_media_type", 415, "the Content-Type is not application/json"),
  BODY_TOO_LARGE("body_too_large", 413, "the request's body exceeds the server's limit"),
  INVALID_HTTP("invalid_http", 400, "the message is no HTTP that the server takes"),
  INVALID_HEADER("invalid_header", 400, "a header whose value is not of the form it must have"),
  INVALID_PARAMETER(
      "invalid_parameter",
      400,
      "a query parameter that the path has not, or a value that it cannot have"),
  UNKNOWN_HEAD("unknown_head", 400, "the request asks for a head that the model has not"),
  UNAUTHORIZED("unauthorized", 401, "the request has no token, or not the right one"),
  INVALID_COMMAND("invalid_command", 400, "an admin call that names no change the server can make"),
  CONFLICT("conflict", 409, "the change contradicts what is loaded, active or being changed"),
  OVERLOADED(
      "overloaded", 503, "more requests than the server can answer in time; try again later"),
  REQUEST_TIMEOUT("request_timeout", 408, "the request took too long to come"),
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

  public String code() {
    return code;
  }

  public int httpStatus() {
    return httpStatus;
  }

  public String meaning() {
    return meaning;
  }

  /** Returns the code for a status that the HTTP layer itself decided on. */
  public static ServiceCode ofStatus(HttpStatus status) {
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
