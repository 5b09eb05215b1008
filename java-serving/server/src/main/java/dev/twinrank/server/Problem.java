package dev.twinrank.server;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.ScoringException;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * An answer that is an error, as RFC 9457 problem details.
 *
 * @param code the stable code
 * @param status the HTTP status
 * @param title what the code means, the same for every occurrence
 * @param detail what happened this time
 * @param feature the feature that the problem is in
 * @param candidate the index of the candidate that the problem is in
 * @param allow the methods that the path has, for {@code method_not_allowed}
 */
record Problem(
    String code,
    int status,
    String title,
    String detail,
    Optional<String> feature,
    OptionalInt candidate,
    Optional<String> allow) {

  static final MediaType MEDIA_TYPE = MediaType.create("application", "problem+json");

  private static final int INTERNAL_SERVER_ERROR = HttpStatus.INTERNAL_SERVER_ERROR.code();

  static Problem of(ServiceCode code, String detail) {
    return new Problem(
        code.code(),
        code.httpStatus(),
        code.meaning(),
        detail,
        Optional.empty(),
        OptionalInt.empty(),
        Optional.empty());
  }

  static Problem unknownPath(String path) {
    return of(ServiceCode.UNKNOWN_PATH, "no path '%s'; README.md lists the paths".formatted(path));
  }

  static Problem methodNotAllowed(String method, Target target) {
    ServiceCode code = ServiceCode.METHOD_NOT_ALLOWED;
    return new Problem(
        code.code(),
        code.httpStatus(),
        code.meaning(),
        "%s is not a method of this path; it has %s".formatted(method, target.methods()),
        Optional.empty(),
        OptionalInt.empty(),
        Optional.of(target.methods()));
  }

  static Problem of(ScoringException e) {
    ErrorCode code = e.code();
    return new Problem(
        code.code(),
        code.httpStatus().orElse(INTERNAL_SERVER_ERROR),
        code.meaning(),
        e.getMessage(),
        e.feature(),
        e.candidate(),
        Optional.empty());
  }

  AggregatedHttpResponse response() {
    ResponseHeadersBuilder headers =
        ResponseHeaders.builder(status)
            .contentType(MEDIA_TYPE)
            .set(HttpHeaderNames.CACHE_CONTROL, "no-store");
    allow.ifPresent(methods -> headers.set(HttpHeaderNames.ALLOW, methods));
    return AggregatedHttpResponse.of(headers.build(), HttpData.wrap(json()));
  }

  byte[] json() {
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
