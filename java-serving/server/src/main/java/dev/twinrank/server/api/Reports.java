package dev.twinrank.server.api;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.twinrank.core.ErrorCode;
import dev.twinrank.core.Head;
import dev.twinrank.core.Model;
import dev.twinrank.core.Statistics;
import dev.twinrank.core.Statistics.FeatureCounts;
import dev.twinrank.core.Statistics.OutputCounts;
import dev.twinrank.core.Verification;
import dev.twinrank.core.VerificationReport;
import dev.twinrank.core.VerificationReport.Difference;
import dev.twinrank.core.VerificationReport.Golden;
import dev.twinrank.core.VerificationReport.Phase;
import dev.twinrank.server.problem.Json;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What is told of a version beside what it is: how it proved itself, and what it has counted. */
final class Reports {
  private static final double NANOS = 1e9;

  private Reports() {}

  static byte[] evidence(Model model, long version) {
    Verification verification = model.verification();
    VerificationReport opening = model.opening();
    return Json.object(
        json -> {
          Views.identity(json, "model", model, version);
          Views.evidence(json, verification);
          json.writeStringField("host_class", verification.hostClass());
          json.writeStringField("bundle_host_class", verification.bundleHostClass());
          json.writeStringField("runtime", verification.runtime());
          json.writeStringField("opened", model.opened().toString());
          json.writeObjectFieldStart("tolerances");
          List<Head> outputs = outputs(model);
          for (int i = 0; i < outputs.size(); i++) {
            json.writeNumberField(outputs.get(i).name(), model.tolerances().get(i));
          }
          json.writeEndObject();
          json.writeArrayFieldStart("phases");
          for (Phase phase : opening.phases()) {
            json.writeStartObject();
            json.writeStringField("name", phase.name());
            seconds(json, phase.duration());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeArrayFieldStart("goldens");
          for (Golden golden : opening.goldens()) {
            golden(json, golden);
          }
          json.writeEndArray();
        });
  }

  private static List<Head> outputs(Model model) {
    List<Head> outputs = new ArrayList<>(model.heads());
    outputs.add(model.score());
    return outputs;
  }

  private static void golden(JsonGenerator json, Golden golden) throws IOException {
    json.writeStartObject();
    json.writeNumberField("line", golden.line());
    json.writeNumberField("candidates", golden.candidates());
    json.writeBooleanField("passed", golden.passed());
    json.writeArrayFieldStart("differences");
    for (Difference difference : golden.differences()) {
      json.writeStartObject();
      json.writeStringField("head", difference.head());
      json.writeNumberField("differing", difference.differing());
      Json.writeNumber(json, "max_abs", difference.maxAbs());
      json.writeEndObject();
    }
    json.writeEndArray();
    seconds(json, golden.duration());
    json.writeEndObject();
  }

  private static void seconds(JsonGenerator json, Duration duration) throws IOException {
    json.writeNumberField("seconds", duration.toNanos() / NANOS);
  }

  static byte[] statistics(Model model, long version) {
    Statistics counted = model.statistics();
    return Json.object(
        json -> {
          Views.identity(json, "model", model, version);
          json.writeStringField("since", model.opened().toString());
          json.writeNumberField("requests", counted.requests());
          json.writeNumberField("answered", counted.answered());
          json.writeNumberField("candidates", counted.candidates());
          refusals(json, "refusals", counted.refusals());
          json.writeNumberField("listener_failures", counted.listenerFailures());
          json.writeArrayFieldStart("features");
          for (FeatureCounts feature : counted.features()) {
            json.writeStartObject();
            json.writeStringField("name", feature.feature().name());
            json.writeStringField("placement", feature.feature().placement().label());
            json.writeNumberField("missing", feature.missing());
            json.writeNumberField("invalid", feature.invalid());
            if (feature.unseen().isPresent()) {
              json.writeNumberField("unseen", feature.unseen().getAsLong());
            }
            refusals(json, "refused", feature.refused());
            json.writeEndObject();
          }
          json.writeEndArray();
          json.writeArrayFieldStart("outputs");
          for (OutputCounts output : counted.outputs()) {
            json.writeStartObject();
            json.writeStringField("name", output.output().name());
            json.writeNumberField("nan", output.nan());
            json.writeNumberField("infinite", output.infinite());
            json.writeEndObject();
          }
          json.writeEndArray();
        });
  }

  private static void refusals(JsonGenerator json, String name, Map<ErrorCode, Long> counts)
      throws IOException {
    json.writeObjectFieldStart(name);
    for (Map.Entry<ErrorCode, Long> entry : counts.entrySet()) {
      json.writeNumberField(entry.getKey().code(), entry.getValue());
    }
    json.writeEndObject();
  }
}
