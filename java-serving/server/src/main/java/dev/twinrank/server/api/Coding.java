package dev.twinrank.server.api;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.RequestHeaders;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;

/**
 * A content coding of HTTP bodies. What decodes and encodes takes its time: never on an event loop.
 */
public enum Coding {
  /** The body as it is. */
  IDENTITY("identity"),
  /** RFC 1952. */
  GZIP("gzip"),
  /** RFC 1950: deflate in zlib's wrapping, as RFC 9110 means it. */
  DEFLATE("deflate");

  /** The codings that a client may use, for messages and for the header {@code Accept-Encoding}. */
  public static final String ACCEPTED = "gzip, deflate";

  // Below this a coded answer saves less than the packet that it fits into anyway.
  private static final int WORTH_BYTES = 1024;
  // Level 1 halves JSON in a third of the default level's time, and the default saves a tenth more.
  private static final int LEVEL = Deflater.BEST_SPEED;
  private static final int CHUNK = 16 << 10;

  private final String label;

  Coding(String label) {
    this.label = label;
  }

  /** Returns the word of the headers. */
  public String label() {
    return label;
  }

  /**
   * Returns the coding of a request's body.
   *
   * @throws Refusal {@code unsupported_media_type} if it is another one, or more than one
   */
  public static Coding of(RequestHeaders headers) {
    String given = headers.get(HttpHeaderNames.CONTENT_ENCODING, IDENTITY.label);
    return switch (given.strip().toLowerCase(Locale.ROOT)) {
      case "", "identity" -> IDENTITY;
      case "gzip", "x-gzip" -> GZIP;
      case "deflate" -> DEFLATE;
      default ->
          throw new Refusal(
              Problem.of(
                      ServiceCode.UNSUPPORTED_MEDIA_TYPE,
                      "the Content-Encoding is '%s'; send the body as it is, or in one of: %s"
                          .formatted(given, ACCEPTED))
                  .header(HttpHeaderNames.ACCEPT_ENCODING, ACCEPTED));
    };
  }

  /**
   * Returns the coding that a client would rather have than the plain body: empty if there is none,
   * or if the body is too short to gain.
   */
  public static Optional<Coding> wanted(RequestHeaders headers, int bytes) {
    String accepted = headers.get(HttpHeaderNames.ACCEPT_ENCODING);
    if (accepted == null || bytes < WORTH_BYTES) {
      return Optional.empty();
    }
    double gzip = weight(accepted, GZIP.label);
    double deflate = weight(accepted, DEFLATE.label);
    if (gzip <= 0 && deflate <= 0) {
      return Optional.empty();
    }
    return Optional.of(gzip >= deflate ? GZIP : DEFLATE);
  }

  /** Returns the weight that {@code Accept-Encoding} gives a coding; 0 if it does not want it. */
  private static double weight(String accepted, String label) {
    double any = 0;
    for (String item : accepted.toLowerCase(Locale.ROOT).split(",", -1)) {
      String[] parts = item.strip().split(";", 2);
      String coding = parts[0].strip();
      if (coding.equals(label)) {
        return quality(parts);
      }
      if (coding.equals("*")) {
        any = quality(parts);
      }
    }
    return any;
  }

  private static double quality(String[] parts) {
    if (parts.length == 1) {
      return 1;
    }
    String parameter = parts[1].replace(" ", "");
    // What is no weight is no wish either: the plain body is always right.
    return parameter.matches("q=(0(\\.[0-9]{0,3})?|1(\\.0{0,3})?)")
        ? Double.parseDouble(parameter.substring(2))
        : 0;
  }

  /**
   * Decodes a body.
   *
   * @param limit how many bytes it may become; it is read no further
   * @throws Refusal {@code body_too_large}, or {@code invalid_http} if it is not coded so
   */
  public byte[] decode(byte[] body, long limit) {
    if (this == IDENTITY) {
      return body;
    }
    ByteArrayOutputStream decoded = new ByteArrayOutputStream(CHUNK);
    byte[] chunk = new byte[CHUNK];
    try (Decoder in = this == GZIP ? new Gzip(body) : new Deflate(body)) {
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        if (decoded.size() + (long) read > limit) {
          throw new Refusal(
              Problem.of(
                  ServiceCode.BODY_TOO_LARGE,
                  "the body is longer than %d bytes once its %s is decoded; send fewer candidates a request or raise --max-body"
                      .formatted(limit, label)));
        }
        decoded.write(chunk, 0, read);
      }
      if (in.left() > 0) {
        throw new Refusal(
            Problem.of(
                ServiceCode.INVALID_HTTP,
                "%d bytes follow the %s that the Content-Encoding promises; send the %s alone"
                    .formatted(in.left(), label, label)));
      }
    } catch (IOException e) {
      throw new Refusal(
          Problem.of(
              ServiceCode.INVALID_HTTP,
              "the body is not the whole %s that its Content-Encoding promises".formatted(label)));
    }
    return decoded.toByteArray();
  }

  /** What decodes, and tells in the end how many bytes it had no use for. */
  private interface Decoder extends AutoCloseable {
    int read(byte[] chunk) throws IOException;

    /** Returns how many bytes follow, once {@link #read} gave -1. */
    int left();

    @Override
    void close() throws IOException;
  }

  /** The JDK's own says nothing of what follows the last member; it holds the whole body here. */
  private static final class Gzip extends GZIPInputStream implements Decoder {
    private static final int TRAILER = 8;

    Gzip(byte[] body) throws IOException {
      super(new ByteArrayInputStream(body), Math.max(TRAILER, body.length));
    }

    @Override
    public int left() {
      return Math.max(0, inf.getRemaining() - TRAILER);
    }
  }

  private static final class Deflate extends InflaterInputStream implements Decoder {
    Deflate(byte[] body) {
      super(new ByteArrayInputStream(body), new Inflater(), Math.max(1, body.length));
    }

    @Override
    public int left() {
      return inf.getRemaining();
    }

    @Override
    public void close() throws IOException {
      try {
        super.close();
      } finally {
        inf.end();
      }
    }
  }

  /** Encodes a body. */
  public byte[] encode(byte[] body) {
    if (this == IDENTITY) {
      return body;
    }
    ByteArrayOutputStream coded = new ByteArrayOutputStream(body.length / 2);
    try (OutputStream out = this == GZIP ? new FastGzip(coded) : new FastDeflate(coded)) {
      out.write(body);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return coded.toByteArray();
  }

  /** The JDK's own, at another level: there is no constructor that takes one. */
  private static final class FastGzip extends GZIPOutputStream {
    FastGzip(OutputStream out) throws IOException {
      super(out, CHUNK);
      def.setLevel(LEVEL);
    }
  }

  /** Likewise. */
  private static final class FastDeflate extends DeflaterOutputStream {
    FastDeflate(OutputStream out) {
      super(out, new Deflater(LEVEL), CHUNK);
    }

    @Override
    public void close() throws IOException {
      try {
        super.close();
      } finally {
        def.end();
      }
    }
  }
}
