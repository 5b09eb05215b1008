package dev.twinrank.server.problem;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * An answer that is an error, as RFC 9457 problem details. Immutable and thread-safe.
 *
 * @param code the stable code
 * @param status the HTTP status
 * @param title what the code means, the same for every occurrence
 * @param detail what happened this time
 * @param feature the feature that the problem is in
 * @param candidate the index of the candidate that the problem is in
 * @param headers what the answer's headers say of the problem, by name
 * @param retryAfter after how many seconds the client may try again
 */
public record Problem(
    String code,
    int status,
    String title,
    String detail,
    Optional<String> feature,
    OptionalInt candidate,
    Map<String, String> headers,
    OptionalInt retryAfter) {

  /** The media type of problem details. */
  public static final MediaType MEDIA_TYPE = MediaType.create("application", "problem+json");

  private static final int INTERNAL_SERVER_ERROR = HttpStatus.INTERNAL_SERVER_ERROR.code();

  /** Copies the headers. */
  public Problem {
    headers = Map.copyOf(headers);
  }

  /** Returns a problem of the service. */
  public static Problem of(ServiceCode code, String detail) {
    return new Problem(
        code.code(),
        code.httpStatus(),
        code.meaning(),
        detail,
        Optional.empty(),
        OptionalInt.empty(),
        Map.of(),
        OptionalInt.empty());
  }

  /** Returns a problem of the scoring that showed before the core was asked. */
  public static Problem of(ErrorCode code, String detail) {
    return new Problem(
        code.code(),
        code.httpStatus().orElse(INTERNAL_SERVER_ERROR),
        code.meaning(),
        detail,
        Optional.empty(),
        OptionalInt.empty(),
        Map.of(),
        OptionalInt.empty());
  }

  /** Returns a problem of the scoring, as the core tells it. */
  public static Problem of(ScoringException e) {
    ErrorCode code = e.code();
    return new Problem(
        code.code(),
        code.httpStatus().orElse(INTERNAL_SERVER_ERROR),
        code.meaning(),
        e.getMessage(),
        e.feature(),
        e.candidate(),
        Map.of(),
        OptionalInt.empty());
  }

  /** Returns the problem of a path that is none. */
  public static Problem unknownPath(String path) {
    return unknownPath(path, "GET /openapi.json lists the paths");
  }

  /**
   * Returns the problem of a path that is not there.
   *
   * @param instead what is there, and where
   */
  public static Problem unknownPath(String path, String instead) {
    return of(ServiceCode.UNKNOWN_PATH, "no path '%s'; %s".formatted(path, instead));
  }

  /** Returns the problem of a method that a path has not; {@code allow} lists those it has. */
  public static Problem methodNotAllowed(String method, String allow) {
    return of(
            ServiceCode.METHOD_NOT_ALLOWED,
            "%s is not a method of this path; it has %s".formatted(method, allow))
        .header(HttpHeaderNames.ALLOW, allow);
  }

  /** Returns this problem with one header more. */
  public Problem header(CharSequence name, String value) {
    Map<String, String> more = new HashMap<>(headers);
    more.put(name.toString(), value);
    return new Problem(code, status, title, detail, feature, candidate, more, retryAfter);
  }

  /** Returns this problem with a time after which the client may try again. */
  public Problem retryAfter(int seconds) {
    return new Problem(
        code, status, title, detail, feature, candidate, headers, OptionalInt.of(seconds));
  }

  /** Returns the HTTP response. */
  public AggregatedHttpResponse response() {
    return response(MEDIA_TYPE, json());
  }

  /** Returns the HTTP response of a protocol whose errors have a body of their own. */
  public AggregatedHttpResponse response(MediaType type, byte[] body) {
    ResponseHeadersBuilder all =
        ResponseHeaders.builder(status)
            .contentType(type)
            .set(HttpHeaderNames.CACHE_CONTROL, "no-store");
    headers.forEach(all::set);
    retryAfter.ifPresent(seconds -> all.setInt(HttpHeaderNames.RETRY_AFTER, seconds));
    return AggregatedHttpResponse.of(all.build(), HttpData.wrap(body));
  }

  private byte[] json() {
    return Json.object(
        json -> {
          json.writeStringField("type", "urn:twinrank:error:" + code);
          json.writeStringField("title", title);
          json.writeNumberField("status", status);
          json.writeStringField("detail", detail);
          json.writeStringField("code", code);
          if (feature.isPresent()) {
            json.writeStringField("feature", feature.get());
          }
          if (candidate.isPresent()) {
            json.writeNumberField("candidate", candidate.getAsInt());
          }
        });
  }
}
