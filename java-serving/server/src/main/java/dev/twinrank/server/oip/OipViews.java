package dev.twinrank.server.oip;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.server.problem.Json;
import dev.twinrank.server.problem.Problem;
import java.io.IOException;
import java.util.List;

/** The protocol's JSON answers to questions about servers and models. */
final class OipViews {
  private OipViews() {}

  static byte[] server(ServerCard card) {
    return Json.object(
        json -> {
          json.writeStringField("name", card.name());
          json.writeStringField("version", card.version());
          json.writeArrayFieldStart("extensions");
          for (String extension : card.extensions()) {
            json.writeString(extension);
          }
          json.writeEndArray();
        });
  }

  /** The specification's bodies and, since it has the two mixed up, each in both. */
  static byte[] health(boolean ready) {
    return Json.object(
        json -> {
          json.writeBooleanField("live", true);
          json.writeBooleanField("ready", ready);
        });
  }

  static byte[] modelReady(String name) {
    return Json.object(
        json -> {
          json.writeStringField("name", name);
          json.writeBooleanField("ready", true);
        });
  }

  static byte[] metadata(ModelCard card, List<Long> versions) {
    return Json.object(
        json -> {
          json.writeStringField("name", card.name());
          json.writeArrayFieldStart("versions");
          for (long version : versions) {
            json.writeString(Long.toString(version));
          }
          json.writeEndArray();
          json.writeStringField("platform", ModelCard.PLATFORM);
          tensors(json, "inputs", card.inputs());
          tensors(json, "outputs", card.outputs());
        });
  }

  private static void tensors(JsonGenerator json, String name, List<TensorCard> cards)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (TensorCard card : cards) {
      json.writeStartObject();
      json.writeStringField("name", card.name());
      json.writeStringField("datatype", card.datatype().name());
      sizes(json, "shape", card);
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void sizes(JsonGenerator json, String name, TensorCard card) throws IOException {
    json.writeArrayFieldStart(name);
    for (long size : card.shape()) {
      json.writeNumber(size);
    }
    json.writeEndArray();
  }

  /**
   * What clients read of Triton's model configuration. Without a batch dimension: the candidates
   * are a size of the tensors like any other.
   */
  static byte[] config(ModelCard card) {
    return Json.object(
        json -> {
          json.writeStringField("name", card.name());
          json.writeStringField("platform", ModelCard.PLATFORM);
          json.writeStringField("backend", "twinrank");
          json.writeNumberField("max_batch_size", 0);
          configured(json, "input", card.inputs(), true);
          configured(json, "output", card.outputs(), false);
          json.writeObjectFieldStart("model_transaction_policy");
          json.writeBooleanField("decoupled", false);
          json.writeEndObject();
          json.writeObjectFieldStart("response_cache");
          json.writeBooleanField("enable", false);
          json.writeEndObject();
          json.writeObjectFieldStart("parameters");
          parameter(json, "bundle", card.bundle());
          parameter(json, "max_candidates", Integer.toString(card.maxCandidates()));
          parameter(json, "verification", card.verification());
          json.writeEndObject();
        });
  }

  private static void configured(
      JsonGenerator json, String name, List<TensorCard> cards, boolean inputs) throws IOException {
    json.writeArrayFieldStart(name);
    for (TensorCard card : cards) {
      json.writeStartObject();
      json.writeStringField("name", card.name());
      json.writeStringField("data_type", card.configType());
      sizes(json, "dims", card);
      if (inputs) {
        json.writeBooleanField("optional", card.optional());
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void parameter(JsonGenerator json, String name, String value) throws IOException {
    json.writeObjectFieldStart(name);
    json.writeStringField("string_value", value);
    json.writeEndObject();
  }

  static byte[] statistics(List<ServedVersion> versions) {
    return Json.object(
        json -> {
          json.writeArrayFieldStart("model_stats");
          for (ServedVersion each : versions) {
            statistics(json, each);
          }
          json.writeEndArray();
        });
  }

  private static void statistics(JsonGenerator json, ServedVersion each) throws IOException {
    InferenceStatistics.Counts counts = each.counts();
    json.writeStartObject();
    json.writeStringField("name", each.name());
    json.writeStringField("version", Long.toString(each.version()));
    json.writeNumberField("last_inference", counts.lastInference());
    // Of this protocol's batches: each request is one of one, however many candidates it has.
    json.writeNumberField("inference_count", counts.success().count());
    json.writeNumberField("execution_count", counts.success().count());
    json.writeObjectFieldStart("inference_stats");
    duration(json, "success", counts.success());
    duration(json, "fail", counts.fail());
    duration(json, "queue", counts.queue());
    duration(json, "compute_input", counts.input());
    duration(json, "compute_infer", counts.infer());
    duration(json, "compute_output", counts.output());
    duration(json, "cache_hit", InferenceStatistics.Duration.ZERO);
    duration(json, "cache_miss", InferenceStatistics.Duration.ZERO);
    json.writeEndObject();
    json.writeArrayFieldStart("batch_stats");
    if (counts.success().count() > 0) {
      json.writeStartObject();
      json.writeNumberField("batch_size", 1);
      duration(json, "compute_input", counts.input());
      duration(json, "compute_infer", counts.infer());
      duration(json, "compute_output", counts.output());
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void duration(
      JsonGenerator json, String name, InferenceStatistics.Duration duration) throws IOException {
    json.writeObjectFieldStart(name);
    json.writeNumberField("count", duration.count());
    json.writeNumberField("ns", duration.nanos());
    json.writeEndObject();
  }

  /** An array at the top, as Triton answers and clients read it. */
  static byte[] index(List<Repository.Entry> entries) {
    return Json.array(
        json -> {
          for (Repository.Entry entry : entries) {
            json.writeStartObject();
            json.writeStringField("name", entry.name());
            json.writeStringField("version", Long.toString(entry.version()));
            json.writeStringField("state", entry.ready() ? "READY" : "UNAVAILABLE");
            json.writeStringField("reason", entry.reason());
            json.writeEndObject();
          }
        });
  }

  /** The protocol's error, which is one text, and beside it what our problem details have. */
  static byte[] error(Problem problem) {
    return Json.object(
        json -> {
          json.writeStringField("error", problem.code() + ": " + problem.detail());
          json.writeStringField("code", problem.code());
          if (problem.feature().isPresent()) {
            json.writeStringField("feature", problem.feature().get());
          }
          if (problem.candidate().isPresent()) {
            json.writeNumberField("candidate", problem.candidate().getAsInt());
          }
        });
  }
}
