package dev.twinrank.server.oip.grpc;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.RequestHeaders;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import io.netty.util.AsciiString;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.InflaterInputStream;

/** How the messages of a call are compressed. Immutable and thread-safe. */
enum Coding {
  IDENTITY("identity"),
  DEFLATE("deflate"),
  GZIP("gzip");

  /** The header that names the coding of a message. */
  static final AsciiString HEADER = HttpHeaderNames.of("grpc-encoding");

  /** The header that names the codings that its sender reads. */
  static final AsciiString ACCEPT_HEADER = HttpHeaderNames.of("grpc-accept-encoding");

  /** What this server reads, as {@link #ACCEPT_HEADER} lists it. */
  static final String ACCEPTED = "identity,deflate,gzip";

  /** The coding's name in both headers. */
  final String label;

  Coding(String label) {
    this.label = label;
  }

  /**
   * Returns the coding of a request's messages.
   *
   * @throws Refusal {@code unsupported_media_type} for one that is not known
   */
  static Coding of(RequestHeaders headers) {
    String given = headers.get(HEADER, IDENTITY.label);
    for (Coding coding : values()) {
      if (coding.label.equals(given)) {
        return coding;
      }
    }
    throw new Refusal(
        Problem.of(
            ServiceCode.UNSUPPORTED_MEDIA_TYPE,
            "the grpc-encoding is '%s'; send one of %s".formatted(given, ACCEPTED)));
  }

  /**
   * Returns the coding for an answer to such a request: the request's own, where the client says
   * that it reads it. A client that compresses is one whose network is the narrow part.
   */
  static Coding forAnswer(RequestHeaders headers, Coding asked) {
    for (String name : headers.get(ACCEPT_HEADER, "").split(",", -1)) {
      if (name.trim().equals(asked.label)) {
        return asked;
      }
    }
    return IDENTITY;
  }

  /** Returns the bytes as they were before they were compressed. */
  InputStream open(byte[] bytes, int from, int length) throws IOException {
    InputStream in = new ByteArrayInputStream(bytes, from, length);
    return switch (this) {
      case IDENTITY -> in;
      case DEFLATE -> new InflaterInputStream(in);
      case GZIP -> new GZIPInputStream(in);
    };
  }

  /** Returns the bytes compressed. */
  byte[] compress(byte[] bytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length / 2 + 32);
    try (OutputStream coded =
        switch (this) {
          case IDENTITY -> out;
          case DEFLATE -> new DeflaterOutputStream(out);
          case GZIP -> new GZIPOutputStream(out);
        }) {
      coded.write(bytes);
    }
    return out.toByteArray();
  }
}
