package dev.twinrank.load;

import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What an answer that is no success calls itself. */
final class Codes {
  private static final Pattern CODE = Pattern.compile("\"code\"\\s*:\\s*\"([a-z0-9_]{1,64})\"");

  private Codes() {}

  /**
   * Returns the {@code code} of a problem document, {@code grpc-N} of gRPC, or {@code -} where the
   * answer has none.
   */
  static String of(Exchange exchange) {
    if (!exchange.grpcStatus.isEmpty()) {
      return "grpc-" + exchange.grpcStatus;
    }
    Matcher matcher =
        CODE.matcher(new String(exchange.body(), 0, exchange.length(), StandardCharsets.UTF_8));
    return matcher.find() ? matcher.group(1) : "-";
  }
}
