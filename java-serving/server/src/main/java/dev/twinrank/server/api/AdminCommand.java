package dev.twinrank.server.api;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.twinrank.server.problem.Problem;
import dev.twinrank.server.problem.Refusal;
import dev.twinrank.server.problem.ServiceCode;
import java.io.IOException;
import java.util.OptionalLong;

/**
 * The body of an admin call. Immutable and thread-safe.
 *
 * @param version the version that is meant; empty if none is given
 * @param allowIncompatible whether requests made for the active version may be refused by it
 */
record AdminCommand(OptionalLong version, boolean allowIncompatible) {
  private static final JsonFactory FACTORY =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
  private static final String VERSION = "version";
  private static final String ALLOW = "allow_incompatible";

  /**
   * Reads a body.
   *
   * @param what the command, of which the body may hold what it uses and no more
   * @throws Refusal {@code invalid_command}
   */
  static AdminCommand parse(String what, byte[] body) {
    OptionalLong version = OptionalLong.empty();
    boolean allow = false;
    if (body.length > 0) {
      try (JsonParser json = FACTORY.createParser(body)) {
        if (json.nextToken() != JsonToken.START_OBJECT) {
          throw refuse(what, "the body is no JSON object");
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String member = json.currentName();
          JsonToken value = json.nextToken();
          if (member.equals(VERSION) && !what.equals("rollback")) {
            if (value != JsonToken.VALUE_NUMBER_INT) {
              throw refuse(what, "'version' is no integer");
            }
            version = OptionalLong.of(json.getLongValue());
          } else if (member.equals(ALLOW) && what.equals("activate")) {
            if (!value.isBoolean()) {
              throw refuse(what, "'allow_incompatible' is neither true nor false");
            }
            allow = json.getBooleanValue();
          } else {
            throw refuse(what, "'%s' is no member of it".formatted(member));
          }
        }
        if (json.currentToken() != JsonToken.END_OBJECT || json.nextToken() != null) {
          throw refuse(what, "the body is more than one JSON object");
        }
      } catch (IOException e) {
        throw refuse(what, "the body is no JSON that can be read");
      }
    }
    if (version.isEmpty() && (what.equals("activate") || what.equals("load"))) {
      throw refuse(what, "'version' is missing");
    }
    return new AdminCommand(version, allow);
  }

  private static Refusal refuse(String what, String detail) {
    return new Refusal(
        Problem.of(
            ServiceCode.INVALID_COMMAND,
            "%s; %s takes %s"
                .formatted(
                    detail,
                    what,
                    switch (what) {
                      case "activate" -> "{\"version\": 3, \"allow_incompatible\": false}";
                      case "load" -> "{\"version\": 3}";
                      case "unload" -> "{\"version\": 3}, or {} for the whole model";
                      default -> "{}";
                    })));
  }

  /** Returns the version, of a command that must have one. */
  long required() {
    return version.getAsLong();
  }
}
