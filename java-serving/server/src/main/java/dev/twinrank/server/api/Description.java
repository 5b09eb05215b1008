package dev.twinrank.server.api;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Optional;
import java.util.Properties;

/**
 * The API's OpenAPI description, and a page that renders it. The page is one file: what it needs is
 * in it, and its policy lets it load nothing else. Made at the first request. Thread-safe.
 */
final class Description {
  private static final String RENDERER = "/META-INF/resources/webjars/swagger-ui/";

  // The page talks to this server alone, for "Try it out".
  private static final String POLICY =
      "default-src 'none'; script-src %s; style-src 'unsafe-inline'; img-src data:; connect-src 'self';"
          + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  /** The text of the description, which is the same in every server. */
  static final byte[] OPENAPI = resource("openapi.json");

  private Description() {}

  static HttpResponse openApi(RequestHeaders headers) {
    return Answers.json(headers, OPENAPI);
  }

  static HttpResponse page(RequestHeaders headers) {
    ResponseHeadersBuilder answer =
        Answers.headers(MediaType.HTML_UTF_8)
            .set(HttpHeaderNames.CONTENT_SECURITY_POLICY, Page.POLICY)
            .set(HttpHeaderNames.X_CONTENT_TYPE_OPTIONS, "nosniff")
            .set(HttpHeaderNames.REFERRER_POLICY, "no-referrer");
    Optional<Coding> wanted = Coding.wanted(headers, Integer.MAX_VALUE);
    // A megabyte and a half is kept only as what nearly every browser asks for.
    return Answers.of(
        answer,
        wanted.equals(Optional.of(Coding.GZIP))
            ? new Answers.Body(HttpData.wrap(Page.GZIP), Coding.GZIP)
            : new Answers.Body(
                HttpData.wrap(Coding.GZIP.decode(Page.GZIP, Integer.MAX_VALUE)), Coding.IDENTITY));
  }

  private static byte[] resource(String name) {
    try (InputStream in = Description.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("the server was built without " + name);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(name, e);
    }
  }

  /** The page, made once. */
  private static final class Page {
    private static final String POLICY;
    private static final byte[] GZIP;

    static {
      String renderer = RENDERER + version() + "/";
      String script = inline(text(renderer + "swagger-ui-bundle.js"));
      String start =
          inline(
              text("docs.js")
                  .replace("{/* the description */}", new String(OPENAPI, StandardCharsets.UTF_8)));
      POLICY = Description.POLICY.formatted(hash(script) + " " + hash(start));
      String page =
          text("docs.html")
              .replace("/* the renderer's style */", text(renderer + "swagger-ui.css"))
              .replace("/* the renderer */", script)
              .replace("/* the start */", start);
      GZIP = Coding.GZIP.encode(page.getBytes(StandardCharsets.UTF_8));
    }

    private static String version() {
      Properties properties = new Properties();
      try (InputStream in = Description.class.getResourceAsStream("docs.properties")) {
        properties.load(in);
      } catch (IOException e) {
        throw new UncheckedIOException("docs.properties", e);
      }
      return properties.getProperty("swagger-ui");
    }

    private static String text(String name) {
      return new String(resource(name), StandardCharsets.UTF_8);
    }

    /** Returns a script that may stand in a page: nothing in it ends the element around it. */
    private static String inline(String script) {
      return script.replace("</script", "<\\/script").replace("<!--", "<\\!--");
    }

    private static String hash(String script) {
      try {
        byte[] digest =
            MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
        return "'sha256-" + Base64.getEncoder().encodeToString(digest) + "'";
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError("every JDK has SHA-256", e);
      }
    }
  }
}
