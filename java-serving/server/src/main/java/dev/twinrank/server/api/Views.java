package dev.twinrank.server.api;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.core.Feature;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore.Entry;
import dev.twinrank.core.Policy;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Scores;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.Allowed;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.problem.Json;
import java.io.IOException;
import java.util.Optional;

/** The JSON answers of the ranking API (contract section 7 for rankings). */
public final class Views {
  private Views() {}

  /** Returns a ranking with all heads. */
  public static byte[] ranking(Model model, long version, Ranking ranking) {
    return ranking(
        model, version, ranking, RankOptions.PLAIN.heads(model), Optional.<Explanation>empty());
  }

  /**
   * Returns a ranking.
   *
   * @param heads the places of the heads to show
   * @param explanation what shows the features, if they are to be shown
   */
  static byte[] ranking(
      Model model, long version, Ranking ranking, int[] heads, Optional<Explanation> explanation) {
    Scores scores = ranking.scores();
    return Json.object(
        json -> {
          identity(json, "model", model, version);
          json.writeNumberField("candidates", scores.candidates());
          if (explanation.isPresent()) {
            json.writeObjectFieldStart("context");
            explanation.get().context(json);
            json.writeEndObject();
          }
          json.writeArrayFieldStart("ranking");
          for (Ranking.Entry entry : ranking.entries()) {
            json.writeStartObject();
            json.writeNumberField("index", entry.index());
            Json.writeNumber(json, "score", entry.score());
            candidate(json, scores, entry.index(), heads, explanation);
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeArrayFieldStart("dropped");
          for (Ranking.Dropped dropped : ranking.dropped()) {
            json.writeStartObject();
            json.writeNumberField("index", dropped.index());
            json.writeStringField("reason", dropped.reason());
            candidate(json, scores, dropped.index(), heads, explanation);
            json.writeEndObject();
          }
          json.writeEndArray();
        });
  }

  private static void candidate(
      JsonGenerator json,
      Scores scores,
      int candidate,
      int[] heads,
      Optional<Explanation> explanation)
      throws IOException {
    json.writeObjectFieldStart("heads");
    for (int head : heads) {
      Json.writeNumber(json, scores.heads().get(head).name(), scores.value(head, candidate));
    }
    json.writeEndObject();
    if (explanation.isPresent()) {
      json.writeObjectFieldStart("features");
      explanation.get().candidate(json, candidate);
      json.writeEndObject();
    }
  }

  public static byte[] models(Models models) {
    return Json.object(json -> proved(json, models));
  }

  public static byte[] ready(Models models) {
    return Json.object(
        json -> {
          json.writeStringField("status", "ready");
          proved(json, models);
        });
  }

  private static void proved(JsonGenerator json, Models models) throws IOException {
    json.writeArrayFieldStart("models");
    for (Entry entry : models.all()) {
      json.writeStartObject();
      identity(json, "name", entry.name(), entry.version(), entry.digest(), entry.verification());
      evidence(json, entry.verification());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /** Writes what goes with a verification wherever it is shown. */
  static void evidence(JsonGenerator json, Verification verification) throws IOException {
    json.writeBooleanField("attested", verification.attested());
    json.writeStringField("signature", verification.signature().label());
    if (!verification.signatureDetail().isEmpty()) {
      json.writeStringField("signature_detail", verification.signatureDetail());
    }
    json.writeStringField("installation", verification.installation().label());
    json.writeArrayFieldStart("allowed");
    for (Allowed allowed : verification.allowed()) {
      json.writeStartObject();
      json.writeStringField("finding", allowed.finding());
      json.writeStringField("detail", allowed.detail());
      json.writeStringField("reason", allowed.reason());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  public static byte[] model(Model model, long version) {
    Verification verification = model.verification();
    return Json.object(
        json -> {
          identity(json, "name", model, version);
          evidence(json, verification);
          json.writeNumberField("goldens", verification.goldens());
          json.writeStringField("host_class", verification.hostClass());
          json.writeStringField("bundle_host_class", verification.bundleHostClass());
          json.writeStringField("runtime", verification.runtime());
          json.writeNumberField("max_candidates", model.maxCandidates());
          json.writeArrayFieldStart("heads");
          for (Head head : model.heads()) {
            json.writeStartObject();
            json.writeStringField("name", head.name());
            json.writeStringField("dtype", head.dtype().label());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeObjectFieldStart("score");
          json.writeStringField("dtype", model.score().dtype().label());
          json.writeEndObject();
          json.writeObjectFieldStart("schema");
          features(json, model);
          json.writeEndObject();
        });
  }

  /** Returns what a version takes. */
  static byte[] schema(Model model, long version) {
    return Json.object(
        json -> {
          identity(json, "model", model, version);
          features(json, model);
        });
  }

  private static void features(JsonGenerator json, Model model) throws IOException {
    json.writeArrayFieldStart("features");
    for (Feature feature : model.schema().features()) {
      feature(json, feature);
    }
    json.writeEndArray();
  }

  public static byte[] status(String status) {
    return Json.object(json -> json.writeStringField("status", status));
  }

  static void identity(JsonGenerator json, String nameField, Model model, long version)
      throws IOException {
    identity(json, nameField, model.name(), version, model.digest(), model.verification());
  }

  private static void identity(
      JsonGenerator json,
      String nameField,
      String name,
      long version,
      String digest,
      Verification verification)
      throws IOException {
    json.writeStringField(nameField, name);
    json.writeNumberField("version", version);
    json.writeStringField("bundle", digest);
    json.writeStringField("verification", verification.state().label());
  }

  private static void feature(JsonGenerator json, Feature feature) throws IOException {
    json.writeStartObject();
    json.writeStringField("name", feature.name());
    json.writeStringField("placement", feature.placement().label());
    json.writeStringField("dtype", feature.dtype().label());
    if (feature.list().isPresent()) {
      json.writeObjectFieldStart("list");
      json.writeNumberField("max_length", feature.list().get().maxLength());
      json.writeStringField("keep", feature.list().get().keep().label());
      json.writeEndObject();
    }
    if (feature.vector().isPresent()) {
      json.writeObjectFieldStart("vector");
      json.writeNumberField("length", feature.vector().get().length());
      json.writeEndObject();
    }
    if (feature.group().isPresent()) {
      json.writeStringField("group", feature.group().get());
    }
    if (feature.nonfinite()) {
      json.writeBooleanField("nonfinite", true);
    }
    policy(json, "missing", feature.missing().label());
    policy(json, "invalid", feature.invalid().label());
    if (feature.unseen() != Policy.OWN_ROW) {
      policy(json, "unseen", feature.unseen().label());
    }
    json.writeEndObject();
  }

  private static void policy(JsonGenerator json, String name, String policy) throws IOException {
    json.writeObjectFieldStart(name);
    json.writeStringField("policy", policy);
    json.writeEndObject();
  }
}
