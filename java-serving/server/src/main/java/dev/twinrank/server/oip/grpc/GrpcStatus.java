package dev.twinrank.server.oip.grpc;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpHeaders;
import com.linecorp.armeria.common.HttpHeadersBuilder;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.server.oip.grpc.wire.ErrorInfo;
import dev.twinrank.server.oip.grpc.wire.RetryInfo;
import dev.twinrank.server.oip.grpc.wire.Status;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.ServiceCode;
import io.netty.util.AsciiString;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Locale;

/** How a call ends, with gRPC's numbers. Immutable and thread-safe. */
enum GrpcStatus {
  OK(0),
  CANCELLED(1),
  INVALID_ARGUMENT(3),
  DEADLINE_EXCEEDED(4),
  NOT_FOUND(5),
  PERMISSION_DENIED(7),
  RESOURCE_EXHAUSTED(8),
  FAILED_PRECONDITION(9),
  UNIMPLEMENTED(12),
  INTERNAL(13),
  UNAVAILABLE(14),
  UNAUTHENTICATED(16);

  /** The media type of calls and answers. */
  static final MediaType MEDIA_TYPE = MediaType.create("application", "grpc");

  static final AsciiString STATUS_HEADER = HttpHeaderNames.of("grpc-status");
  static final AsciiString MESSAGE_HEADER = HttpHeaderNames.of("grpc-message");
  static final AsciiString DETAILS_HEADER = HttpHeaderNames.of("grpc-status-details-bin");
  static final AsciiString PUSHBACK_HEADER = HttpHeaderNames.of("grpc-retry-pushback-ms");

  /** The stable code as it is, for whoever has trailers and no library for details. */
  static final AsciiString CODE_HEADER = HttpHeaderNames.of("twinrank-code");

  static final AsciiString FEATURE_HEADER = HttpHeaderNames.of("twinrank-feature");
  static final AsciiString CANDIDATE_HEADER = HttpHeaderNames.of("twinrank-candidate");

  private static final String TYPE_URL = "type.googleapis.com/";
  private static final String DOMAIN = "twinrank";
  // Clients read 8 KiB of trailers, and what the details repeat grows by a third.
  private static final int LONGEST_MESSAGE = 2_000;
  private static final String HEX = "0123456789ABCDEF";

  /** The number on the wire. */
  final int number;

  GrpcStatus(int number) {
    this.number = number;
  }

  /** Returns the status that a problem ends a call with. */
  static GrpcStatus of(Problem problem) {
    // What 404 and 503 mean for a call depends on what was not there.
    if (problem.code().equals(ServiceCode.UNKNOWN_PATH.code())) {
      return UNIMPLEMENTED;
    }
    if (problem.code().equals(ErrorCode.MEMORY_EXHAUSTED.code())) {
      return RESOURCE_EXHAUSTED;
    }
    return switch (problem.status()) {
      case 401 -> UNAUTHENTICATED;
      case 403 -> PERMISSION_DENIED;
      case 404 -> NOT_FOUND;
      case 405, 415, 501 -> UNIMPLEMENTED;
      case 409 -> FAILED_PRECONDITION;
      case 413, 429 -> RESOURCE_EXHAUSTED;
      case 499 -> CANCELLED;
      case 503 -> problem.retryAfter().isPresent() ? RESOURCE_EXHAUSTED : UNAVAILABLE;
      case 504 -> DEADLINE_EXCEEDED;
      default -> problem.status() < 500 ? INVALID_ARGUMENT : INTERNAL;
    };
  }

  /** Returns the answer that is nothing but a problem. */
  static AggregatedHttpResponse refuse(Problem problem) {
    ResponseHeadersBuilder headers =
        ResponseHeaders.builder(HttpStatus.OK)
            .contentType(MEDIA_TYPE)
            .set(Coding.ACCEPT_HEADER, Coding.ACCEPTED);
    tell(headers, problem);
    return AggregatedHttpResponse.of(headers.endOfStream(true).build());
  }

  /** Returns the trailers of a call that was answered. */
  static HttpHeaders fine() {
    return HttpHeaders.of(STATUS_HEADER, Integer.toString(OK.number));
  }

  /** Returns the trailers of a call that ends with a problem after its answer began. */
  static HttpHeaders ended(Problem problem) {
    HttpHeadersBuilder trailers = HttpHeaders.builder();
    tell(trailers, problem);
    return trailers.build();
  }

  private static void tell(HttpHeadersBuilder headers, Problem problem) {
    GrpcStatus status = of(problem);
    String message = cut(problem.code() + ": " + problem.detail());
    ErrorInfo.Builder info =
        ErrorInfo.newBuilder()
            .setReason(problem.code().toUpperCase(Locale.ROOT))
            .setDomain(DOMAIN)
            .putMetadata("code", problem.code());
    problem
        .feature()
        .ifPresent(
            name -> {
              info.putMetadata("feature", cut(name));
              headers.set(FEATURE_HEADER, percent(cut(name)));
            });
    problem
        .candidate()
        .ifPresent(
            index -> {
              info.putMetadata("candidate", Integer.toString(index));
              headers.setInt(CANDIDATE_HEADER, index);
            });
    Status.Builder details =
        Status.newBuilder()
            .setCode(status.number)
            .setMessage(message)
            .addDetails(Any.pack(info.build(), TYPE_URL));
    problem
        .retryAfter()
        .ifPresent(
            seconds -> {
              details.addDetails(
                  Any.pack(
                      RetryInfo.newBuilder()
                          .setRetryDelay(Duration.newBuilder().setSeconds(seconds))
                          .build(),
                      TYPE_URL));
              headers.set(PUSHBACK_HEADER, Long.toString(seconds * 1_000L));
            });
    headers
        .set(STATUS_HEADER, Integer.toString(status.number))
        .set(MESSAGE_HEADER, percent(message))
        .set(CODE_HEADER, problem.code())
        .set(
            DETAILS_HEADER,
            Base64.getEncoder().withoutPadding().encodeToString(details.build().toByteArray()));
  }

  /** Returns a text that its percent-encoded form does not make too long, in whole characters. */
  private static String cut(String text) {
    String whole = scalars(text);
    int length = 0;
    for (int at = 0; at < whole.length(); at = whole.offsetByCodePoints(at, 1)) {
      int c = whole.codePointAt(at);
      length += c < 0x80 ? (plain(c) ? 1 : 3) : c < 0x800 ? 6 : c < 0x10000 ? 9 : 12;
      if (length > LONGEST_MESSAGE) {
        return whole.substring(0, at) + "...";
      }
    }
    return whole;
  }

  /** Returns a text that has UTF-8: a lone surrogate that a client sent has none. */
  private static String scalars(String text) {
    return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
  }

  private static boolean plain(int c) {
    return c >= 0x20 && c <= 0x7e && c != '%';
  }

  private static String percent(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      if (plain(b)) {
        out.append((char) b);
      } else {
        out.append('%').append(HEX.charAt(b >> 4 & 15)).append(HEX.charAt(b & 15));
      }
    }
    return out.toString();
  }
}
