package dev.twinrank.server.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.linecorp.armeria.common.HttpMethod;
import dev.twinrank.core.Model;
import dev.twinrank.core.ScoringException;
import dev.twinrank.server.Tiny;
import dev.twinrank.server.problem.Problem;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The description against the routes, the contract's codes, and what the code answers. */
class OpenApiTest {
  private static final JsonNode DOC = Tiny.json(Description.OPENAPI);

  /** Codes that no operation of this description has: of paths and methods that are none, say. */
  private static final Set<String> ELSEWHERE =
      Set.of(
          "unknown_path",
          "method_not_allowed",
          "invalid_tensor",
          "unknown_output",
          "admin_only",
          "invalid_command",
          "conflict");

  private static JsonNode resolved(JsonNode node) {
    return node.has("$ref") ? DOC.at(node.get("$ref").textValue().substring(1)) : node;
  }

  private static Map<String, JsonNode> members(JsonNode object) {
    Map<String, JsonNode> members = new TreeMap<>();
    object.properties().forEach(entry -> members.put(entry.getKey(), entry.getValue()));
    return members;
  }

  @Test
  void itHasEveryRouteWithItsMethodAndNoOther() {
    Set<Class<?>> kinds = new HashSet<>();
    Set<Target.Aspect> aspects = new HashSet<>();
    members(DOC.get("paths"))
        .forEach(
            (path, item) -> {
              Target target = Target.of(path.replace("{name}", "a").replace("{version}", "1"));
              kinds.add(target.getClass());
              if (target instanceof Target.Detail detail) {
                aspects.add(detail.aspect());
                assertEquals(path.contains("{version}"), detail.version().isPresent());
              }
              boolean rank = target instanceof Target.Rank;
              assertEquals(rank, item.has("post"), path);
              assertEquals(!rank, item.has("get"), path);
              assertTrue(target.has(rank ? HttpMethod.POST : HttpMethod.GET), path);
            });
    Set<Class<?>> every = new HashSet<>(Set.of(Target.class.getPermittedSubclasses()));
    every.remove(Target.Unknown.class);
    assertEquals(every, kinds);
    assertEquals(Set.of(Target.Aspect.values()), aspects);
    assertEquals(2 + 2 * 4 + 1 + 5, DOC.get("paths").size());
  }

  @Test
  void everyCodeOfTheContractStandsAtItsStatus() {
    Map<String, Integer> contract = new TreeMap<>();
    JsonNode codes = Tiny.json(Tiny.read(Tiny.CONTRACT.resolve("codes.json")));
    for (String family : List.of("scoring", "service")) {
      codes
          .get(family)
          .forEach(code -> contract.put(code.get("code").asText(), code.get("http").intValue()));
    }
    Set<String> described = new HashSet<>();
    members(DOC.get("paths"))
        .values()
        .forEach(
            item ->
                members(item.has("post") ? item.at("/post/responses") : item.at("/get/responses"))
                    .forEach(
                        (status, response) -> {
                          JsonNode problem = resolved(response);
                          problem
                              .path("x-codes")
                              .forEach(
                                  code -> {
                                    assertEquals(
                                        Integer.valueOf(status),
                                        contract.get(code.asText()),
                                        code.asText());
                                    described.add(code.asText());
                                  });
                          assertEquals(
                              status.equals("200"),
                              !problem.at("/content").has("application/problem+json"));
                        }));
    Set<String> missing = new HashSet<>(contract.keySet());
    missing.removeAll(described);
    missing.removeAll(ELSEWHERE);
    assertEquals(
        Set.of(), missing, "describe them in openapi.json, or say here that they are elsewhere's");
    Set<String> rank = new HashSet<>();
    members(DOC.at("/paths/~1v1~1models~1{name}:rank/post/responses"))
        .values()
        .forEach(each -> resolved(each).path("x-codes").forEach(code -> rank.add(code.asText())));
    codes.get("scoring").forEach(code -> assertTrue(rank.contains(code.get("code").asText())));
  }

  @Test
  void aRankingHasTheParametersThatTheServerReads() {
    Set<String> query = new HashSet<>();
    for (JsonNode parameter : DOC.at("/paths/~1v1~1models~1{name}:rank/post/parameters")) {
      JsonNode found = resolved(parameter);
      if (found.get("in").asText().equals("query")) {
        query.add(found.get("name").asText());
      }
    }
    assertEquals(new HashSet<>(RankOptions.PARAMETERS), query);
    assertEquals(
        RankOptions.FEATURES, DOC.at("/components/parameters/explain/schema/enum/0").asText());
  }

  @Test
  void theExamplesAreWhatTheServerAnswers() {
    JsonNode rank = DOC.at("/paths/~1v1~1models~1{name}:rank/post");
    JsonNode answer = rank.at("/responses/200/content/application~1json/example");
    try (Model model = Tiny.open()) {
      for (String form : List.of("rows", "columns")) {
        JsonNode request =
            rank.at("/requestBody/content/application~1json/examples/" + form + "/value");
        assertTrue(request.has("candidates"), form);
        byte[] ranking = Views.ranking(model, 1, model.rank(model.parse(bytes(request))));
        assertEquals(answer, Tiny.json(ranking), form);
      }
      assertEquals(example("/v1/models/{name}"), Tiny.json(Views.model(model, 1)));
      assertEquals(example("/v1/models/{name}/schema"), Tiny.json(Views.schema(model, 1)));
      JsonNode refusal =
          resolved(rank.at("/responses/400")).at("/content/application~1problem+json/example");
      JsonNode bad =
          Tiny.json(
              "{\"k\": -1, \"context\": {}, \"candidates\": []}".getBytes(StandardCharsets.UTF_8));
      ScoringException refused = refusal(() -> model.parse(bytes(bad)));
      assertEquals(refusal.get("code").asText(), Problem.of(refused).code());
      assertEquals(refusal.get("detail").asText(), refused.getMessage());
    }
  }

  private static ScoringException refusal(Executable parse) {
    return assertThrows(ScoringException.class, parse);
  }

  private static JsonNode example(String path) {
    JsonNode example =
        DOC.get("paths").get(path).at("/get/responses/200/content/application~1json/example");
    assertFalse(example.isMissingNode(), path);
    return example;
  }

  private static byte[] bytes(JsonNode json) {
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void everyReferenceLeadsSomewhere() {
    for (JsonNode reference : DOC.findValues("$ref")) {
      assertFalse(DOC.at(reference.textValue().substring(1)).isMissingNode(), reference.asText());
    }
  }
}
