package dev.twinrank.server.ops;

import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What OpenTelemetry calls {@code http.route}: a path with its names taken out, one of a fixed set,
 * so that it can be a label. Thread-safe.
 */
final class HttpRoutes {
  /** The label of paths that nothing is served under; OpenTelemetry leaves the attribute out. */
  static final String NONE = "";

  private static final String V1 = "/v1/models/{name}";
  private static final String V2 = "/v2/models/{name}";
  private static final String VERSION = "/versions/{version}";
  private static final Pattern NAMES =
      Pattern.compile(
          "(/(?:v1|v2|v2/repository|admin)/models/)(?!stats$)[^/:]+((?:/versions/)(?:[^/:]+))?(.*)");

  private final Set<String> known = new HashSet<>();

  /**
   * Takes the paths of the ranking API, the Open Inference Protocol and administration.
   *
   * @param more further paths, without names in them
   */
  HttpRoutes(Set<String> more) {
    known.addAll(more);
    known.addAll(
        Set.of(
            "/health/live",
            "/health/ready",
            "/metrics",
            "/openapi.json",
            "/docs",
            "/v1/models",
            "/v2",
            "/v2/health/live",
            "/v2/health/ready",
            "/v2/models/stats",
            "/v2/repository/index",
            "/v2/repository/models/{name}/load",
            "/v2/repository/models/{name}/unload",
            "/admin/models"));
    for (String command : Set.of("activate", "rollback", "load", "unload")) {
      known.add("/admin/models/{name}:" + command);
    }
    for (String model : Set.of(V1, V1 + VERSION)) {
      known.addAll(
          Set.of(
              model,
              model + ":rank",
              model + "/schema",
              model + "/evidence",
              model + "/statistics"));
    }
    for (String model : Set.of(V2, V2 + VERSION)) {
      known.addAll(
          Set.of(model, model + "/ready", model + "/config", model + "/stats", model + "/infer"));
    }
  }

  /** Returns the route of a decoded path, or {@link #NONE}. */
  String of(String path) {
    String route = path;
    Matcher names = NAMES.matcher(path);
    if (names.matches()) {
      route = names.group(1) + "{name}" + (names.group(2) == null ? "" : VERSION) + names.group(3);
    }
    return known.contains(route) ? route : NONE;
  }

  /** Returns every route, for tests. */
  Set<String> all() {
    return Set.copyOf(known);
  }
}
