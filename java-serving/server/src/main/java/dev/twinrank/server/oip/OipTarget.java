package dev.twinrank.server.oip;

import com.linecorp.armeria.common.HttpMethod;
import java.util.Optional;

/**
 * What a path of this protocol names; whether the model exists is another question.
 *
 * @param kind what is asked
 * @param model the model's name as the path gives it; empty where none is asked
 * @param version the version as the path gives it; empty for the active one
 */
record OipTarget(Kind kind, String model, Optional<String> version) {
  enum Kind {
    SERVER(HttpMethod.GET),
    LIVE(HttpMethod.GET),
    READY(HttpMethod.GET),
    METADATA(HttpMethod.GET),
    MODEL_READY(HttpMethod.GET),
    CONFIG(HttpMethod.GET),
    STATISTICS(HttpMethod.GET),
    INFER(HttpMethod.POST),
    INDEX(HttpMethod.POST),
    LOAD(HttpMethod.POST),
    UNLOAD(HttpMethod.POST),
    UNKNOWN(HttpMethod.GET);

    private final HttpMethod method;

    Kind(HttpMethod method) {
      this.method = method;
    }
  }

  private static final OipTarget NONE = of(Kind.UNKNOWN);

  /** Returns what a decoded path names. */
  static OipTarget of(String path) {
    String[] parts = path.split("/", -1);
    if (parts.length < 2 || !parts[1].equals("v2")) {
      return NONE;
    }
    if (parts.length == 2) {
      return of(Kind.SERVER);
    }
    return switch (parts[2]) {
      case "health" -> parts.length == 4 ? health(parts[3]) : NONE;
      case "models" -> models(parts);
      case "repository" -> repository(parts);
      default -> NONE;
    };
  }

  private static OipTarget health(String which) {
    return switch (which) {
      case "live" -> of(Kind.LIVE);
      case "ready" -> of(Kind.READY);
      default -> NONE;
    };
  }

  private static OipTarget models(String[] parts) {
    if (parts.length < 4 || parts[3].isEmpty()) {
      return NONE;
    }
    if (parts.length == 4 && parts[3].equals("stats")) {
      return of(Kind.STATISTICS);
    }
    boolean versioned = parts.length >= 6 && parts[4].equals("versions") && !parts[5].isEmpty();
    int rest = versioned ? 6 : 4;
    Optional<String> version = versioned ? Optional.of(parts[5]) : Optional.empty();
    if (parts.length == rest) {
      return new OipTarget(Kind.METADATA, parts[3], version);
    }
    if (parts.length > rest + 1) {
      return NONE;
    }
    return switch (parts[rest]) {
      case "ready" -> new OipTarget(Kind.MODEL_READY, parts[3], version);
      case "config" -> new OipTarget(Kind.CONFIG, parts[3], version);
      case "stats" -> new OipTarget(Kind.STATISTICS, parts[3], version);
      case "infer" -> new OipTarget(Kind.INFER, parts[3], version);
      default -> NONE;
    };
  }

  private static OipTarget repository(String[] parts) {
    if (parts.length == 4 && parts[3].equals("index")) {
      return of(Kind.INDEX);
    }
    if (parts.length == 6 && parts[3].equals("models") && !parts[4].isEmpty()) {
      if (parts[5].equals("load")) {
        return new OipTarget(Kind.LOAD, parts[4], Optional.empty());
      }
      if (parts[5].equals("unload")) {
        return new OipTarget(Kind.UNLOAD, parts[4], Optional.empty());
      }
    }
    return NONE;
  }

  private static OipTarget of(Kind kind) {
    return new OipTarget(kind, "", Optional.empty());
  }

  /** Returns whether the path has the method. */
  boolean has(HttpMethod given) {
    return given == kind.method || (given == HttpMethod.HEAD && kind.method == HttpMethod.GET);
  }

  /** Returns the path's methods as the header {@code Allow} lists them. */
  String methods() {
    return kind.method == HttpMethod.GET ? "GET, HEAD" : "POST";
  }
}
