package dev.twinrank.server;

import com.linecorp.armeria.common.HttpMethod;
import java.util.Optional;
import java.util.Set;

/** What a path names. */
sealed interface Target {
  /** {@code /health/live}. */
  record Live() implements Target {}

  /** {@code /health/ready}. */
  record Ready() implements Target {}

  /** {@code /metrics}. */
  record Scrape() implements Target {}

  /** {@code /v1/models}. */
  record ModelList() implements Target {}

  /**
   * {@code /v1/models/{name}}.
   *
   * @param name as the path gives it
   */
  record ModelDetail(String name) implements Target {}

  /**
   * {@code /v1/models/{name}:rank} or {@code /v1/models/{name}/versions/{version}:rank}.
   *
   * @param name as the path gives it
   * @param version as the path gives it; empty for the one that is served
   */
  record Rank(String name, Optional<String> version) implements Target {}

  /** Any other path. */
  record Unknown() implements Target {}

  Set<HttpMethod> READS = Set.of(HttpMethod.GET, HttpMethod.HEAD);

  /** Returns what a decoded path names; whether the model exists is another question. */
  static Target of(String path) {
    return switch (path) {
      case "/health/live" -> new Live();
      case "/health/ready" -> new Ready();
      case "/metrics" -> new Scrape();
      case "/v1/models" -> new ModelList();
      default ->
          path.startsWith("/v1/models/")
              ? ofModel(path.substring("/v1/models/".length()))
              : new Unknown();
    };
  }

  private static Target ofModel(String rest) {
    String verb = ":rank";
    if (!rest.endsWith(verb)) {
      return rest.isEmpty() || rest.contains("/") ? new Unknown() : new ModelDetail(rest);
    }
    String[] parts = rest.substring(0, rest.length() - verb.length()).split("/", -1);
    if (parts.length == 1 && !parts[0].isEmpty()) {
      return new Rank(parts[0], Optional.empty());
    }
    if (parts.length == 3
        && !parts[0].isEmpty()
        && parts[1].equals("versions")
        && !parts[2].isEmpty()) {
      return new Rank(parts[0], Optional.of(parts[2]));
    }
    return new Unknown();
  }

  /** Returns whether the path has the method. */
  default boolean has(HttpMethod method) {
    return this instanceof Rank ? method == HttpMethod.POST : READS.contains(method);
  }

  /** Returns the path's methods as the header {@code Allow} lists them. */
  default String methods() {
    return this instanceof Rank ? "POST" : "GET, HEAD";
  }
}
