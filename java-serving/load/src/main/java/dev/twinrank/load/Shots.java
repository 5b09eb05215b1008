package dev.twinrank.load;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The requests of a run, which are sent in turns. */
final class Shots {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Set<String> MEMBERS =
      Set.of("label", "method", "path", "headers", "body", "text", "base64", "file");
  private static final String TYPE = "content-type";

  private final String authority;
  private final String method;
  private final String path;
  private final Map<String, String> headers;
  private final List<Shot> shots = new ArrayList<>();

  /**
   * Starts an empty list.
   *
   * @param authority host and port
   * @param method of requests that name none
   * @param path of requests that name none
   * @param headers of every request; a request's own of the same name take their place
   */
  Shots(String authority, String method, String path, Map<String, String> headers) {
    this.authority = authority;
    this.method = method;
    this.path = path;
    this.headers = headers;
  }

  /** Adds a request for each line of a file: the line is the body. */
  void addLines(Path file) throws IOException {
    for (String line : Files.readAllLines(file)) {
      if (!line.isBlank()) {
        add("", method, path, Map.of(), line.getBytes(StandardCharsets.UTF_8));
      }
    }
  }

  /** Adds a request whose body is a file. */
  void addFile(Path file) throws IOException {
    add("", method, path, Map.of(), Files.readAllBytes(file));
  }

  /** Adds a request without a body. */
  void addBare() {
    add("", method, path, Map.of(), new byte[0]);
  }

  /**
   * Adds a request for each line of a plan: an object with any of {@code label}, {@code method},
   * {@code path}, {@code headers} and one of {@code body} (JSON), {@code text}, {@code base64} and
   * {@code file} (beside the plan).
   *
   * @throws IllegalArgumentException if a line is none, naming it
   */
  void addPlan(Path plan) throws IOException {
    int number = 0;
    for (String line : Files.readAllLines(plan)) {
      number++;
      if (line.isBlank()) {
        continue;
      }
      try {
        addPlanned(MAPPER.readTree(line), plan);
      } catch (JsonProcessingException | IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "%s line %d: %s".formatted(plan, number, e.getMessage()), e);
      }
    }
  }

  private void addPlanned(JsonNode node, Path plan) throws IOException {
    node.fieldNames()
        .forEachRemaining(
            name -> {
              if (!MEMBERS.contains(name)) {
                throw new IllegalArgumentException(
                    "'%s' is none of %s".formatted(name, List.copyOf(MEMBERS)));
              }
            });
    Map<String, String> own = new LinkedHashMap<>();
    node.path("headers")
        .properties()
        .forEach(each -> own.put(each.getKey(), each.getValue().asText()));
    byte[] body = new byte[0];
    if (node.has("body")) {
      body = MAPPER.writeValueAsBytes(node.get("body"));
    } else if (node.has("text")) {
      body = node.get("text").asText().getBytes(StandardCharsets.UTF_8);
    } else if (node.has("base64")) {
      body = Base64.getDecoder().decode(node.get("base64").asText());
    } else if (node.has("file")) {
      body = Files.readAllBytes(plan.toAbsolutePath().resolveSibling(node.get("file").asText()));
    }
    add(
        node.path("label").asText(""),
        node.path("method").asText(method),
        node.path("path").asText(path),
        own,
        body);
  }

  private void add(String label, String verb, String target, Map<String, String> own, byte[] body) {
    Map<String, String> fields = new LinkedHashMap<>(headers);
    fields.putAll(own);
    if (body.length > 0) {
      fields.putIfAbsent(TYPE, "application/json");
    }
    shots.add(Shot.of(label, verb, authority, target, fields, body));
  }

  int size() {
    return shots.size();
  }

  /** Returns the request of a turn. */
  Shot at(int index) {
    return shots.get(index);
  }
}
