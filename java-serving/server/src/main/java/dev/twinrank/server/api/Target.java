package dev.twinrank.server.api;

import com.linecorp.armeria.common.HttpMethod;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** What a path names. */
public sealed interface Target {
  /** {@code /health/live}. */
  record Live() implements Target {}

  /** {@code /health/ready}. */
  record Ready() implements Target {}

  /** {@code /metrics}. */
  record Scrape() implements Target {}

  /** {@code /openapi.json}. */
  record Description() implements Target {}

  /** {@code /docs}. */
  record Docs() implements Target {}

  /** {@code /v1/models}. */
  record ModelList() implements Target {}

  /** What is asked about a model. */
  enum Aspect {
    /** All that is known before a request has come. */
    MODEL,
    /** Its features. */
    SCHEMA,
    /** How it proved itself. */
    EVIDENCE,
    /** What it has counted. */
    STATISTICS
  }

  /**
   * {@code /v1/models/{name}} or {@code /v1/models/{name}/versions/{version}}, and behind it the
   * word of an aspect.
   *
   * @param name as the path gives it
   * @param version as the path gives it; empty for the one that is served
   * @param aspect what is asked
   */
  record Detail(String name, Optional<String> version, Aspect aspect) implements Target {}

  /**
   * {@code /v1/models/{name}:rank} or {@code /v1/models/{name}/versions/{version}:rank}.
   *
   * @param name as the path gives it
   * @param version as the path gives it; empty for the one that is served
   */
  record Rank(String name, Optional<String> version) implements Target {}

  /** Any other path. */
  record Unknown() implements Target {}

  String MODELS = "/v1/models";
  String RANK = ":rank";
  Set<HttpMethod> READS = Set.of(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.OPTIONS);
  Set<HttpMethod> WRITES = Set.of(HttpMethod.POST, HttpMethod.OPTIONS);

  /** Returns what a decoded path names; whether the model exists is another question. */
  static Target of(String path) {
    return switch (path) {
      case "/health/live" -> new Live();
      case "/health/ready" -> new Ready();
      case "/metrics" -> new Scrape();
      case "/openapi.json" -> new Description();
      case "/docs" -> new Docs();
      case MODELS -> new ModelList();
      default ->
          path.startsWith(MODELS + "/")
              ? ofModel(path.substring(MODELS.length() + 1))
              : new Unknown();
    };
  }

  private static Target ofModel(String rest) {
    boolean rank = rest.endsWith(RANK);
    String[] parts =
        (rank ? rest.substring(0, rest.length() - RANK.length()) : rest).split("/", -1);
    for (String part : parts) {
      if (part.isEmpty()) {
        return new Unknown();
      }
    }
    boolean versioned = parts.length >= 3 && parts[1].equals("versions");
    Optional<String> version = versioned ? Optional.of(parts[2]) : Optional.empty();
    int named = versioned ? 3 : 1;
    if (parts.length == named) {
      return rank ? new Rank(parts[0], version) : new Detail(parts[0], version, Aspect.MODEL);
    }
    if (rank || parts.length != named + 1) {
      return new Unknown();
    }
    for (Aspect aspect : Aspect.values()) {
      if (aspect != Aspect.MODEL && parts[named].equals(aspect.name().toLowerCase(Locale.ROOT))) {
        return new Detail(parts[0], version, aspect);
      }
    }
    return new Unknown();
  }

  /** Returns whether the path has the method. */
  default boolean has(HttpMethod method) {
    return (this instanceof Rank ? WRITES : READS).contains(method);
  }

  /** Returns the path's methods as the header {@code Allow} lists them. */
  default String methods() {
    return this instanceof Rank ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
  }
}
