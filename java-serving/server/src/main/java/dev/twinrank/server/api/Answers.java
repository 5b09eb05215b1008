package dev.twinrank.server.api;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import java.util.Optional;

/** The answers with status 200 that have a body. */
final class Answers {
  private Answers() {}

  /**
   * A body as it goes over the wire.
   *
   * @param bytes the body, coded
   * @param coding its coding
   */
  record Body(HttpData bytes, Coding coding) {
    /** Returns a body in the coding that a client would have it in; it takes the coding's time. */
    static Body of(RequestHeaders headers, byte[] plain) {
      Optional<Coding> wanted = Coding.wanted(headers, plain.length);
      return wanted
          .map(coding -> new Body(HttpData.wrap(coding.encode(plain)), coding))
          .orElseGet(() -> new Body(HttpData.wrap(plain), Coding.IDENTITY));
    }
  }

  static HttpResponse json(RequestHeaders headers, byte[] plain) {
    return of(MediaType.JSON, Body.of(headers, plain));
  }

  static HttpResponse of(MediaType type, Body body) {
    return of(headers(type), body);
  }

  static HttpResponse of(ResponseHeadersBuilder headers, Body body) {
    if (body.coding != Coding.IDENTITY) {
      headers.set(HttpHeaderNames.CONTENT_ENCODING, body.coding.label());
    }
    return HttpResponse.of(headers.build(), body.bytes);
  }

  static ResponseHeadersBuilder headers(MediaType type) {
    return ResponseHeaders.builder(HttpStatus.OK)
        .contentType(type)
        .set(HttpHeaderNames.VARY, HttpHeaderNames.ACCEPT_ENCODING.toString());
  }
}
