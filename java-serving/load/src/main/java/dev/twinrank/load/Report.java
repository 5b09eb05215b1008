package dev.twinrank.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/** What a run found, as JSON and in a few lines. */
final class Report {
  /** A driver that turns to its requests later than this at the 99th percentile measured itself. */
  static final double LATENESS_MICROS = 1_000;

  private static final ObjectMapper MAPPER =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final ObjectNode root = MAPPER.createObjectNode();
  private final List<String> lines = new ArrayList<>();
  private final List<String> reasons = new ArrayList<>();

  Report(Driver driver, Answers answers, Map<String, String> about) {
    ObjectNode description = root.putObject("run");
    about.forEach(description::put);
    ArrayNode phases = root.putArray("phases");
    for (Tally tally : driver.tallies()) {
      phases.add(phase(tally));
      sum(tally);
    }
    ArrayNode void_ = root.putArray("void_because");
    reasons.forEach(void_::add);
    root.put("void", !reasons.isEmpty());
    ArrayNode marks = root.putArray("marks");
    driver
        .marks()
        .forEach(mark -> marks.addObject().put("seconds", mark.seconds()).put("text", mark.text()));
    ArrayNode mixed = root.putArray("mixed_examples");
    answers.examples().forEach(mixed::add);
    ArrayNode seconds = root.putArray("seconds");
    for (Series.Second second : driver.seconds()) {
      seconds
          .addObject()
          .put("second", second.second())
          .put("phase", second.phase())
          .put("due", second.due())
          .put("admitted", second.admitted())
          .put("refused", second.refused())
          .put("other", second.other())
          .put("failed", second.failed())
          .put("p50_us", second.p50())
          .put("p99_us", second.p99());
    }
  }

  /** Returns a phase as one line of JSON. */
  static String line(Tally tally) {
    return phase(tally).toString();
  }

  private static ObjectNode phase(Tally tally) {
    double seconds = seconds(tally);
    ObjectNode node = MAPPER.createObjectNode();
    node.put("name", tally.phase.name());
    node.put("kind", tally.phase.open() ? "open" : "closed");
    node.put("started_seconds", tally.startedNanos / 1e9);
    node.put("seconds", seconds);
    if (tally.phase.open()) {
      node.put("asked_per_second", tally.phase.rate());
    } else {
      node.put("in_flight", tally.phase.inFlight());
    }
    node.put("offered_per_second", tally.due / seconds);
    node.put("answered_per_second", tally.answered / seconds);
    long admitted = tally.latency.get(Tally.Outcome.ADMITTED).getTotalCount();
    node.put("admitted_per_second", admitted / seconds);
    node.put("due", tally.due).put("sent", tally.sent).put("answered", tally.answered);
    ObjectNode outcomes = node.putObject("outcomes");
    ObjectNode latency = node.putObject("latency_us");
    tally.latency.forEach(
        (outcome, histogram) -> {
          String name = outcome.name().toLowerCase(Locale.ROOT);
          outcomes.put(name, histogram.getTotalCount());
          latency.set(name, percentiles(histogram));
        });
    latency.set("all", percentiles(tally.all));
    node.set("service_us", percentiles(tally.service));
    node.set("lateness_us", percentiles(tally.lateness));
    node.set("waited_for_connection_us", percentiles(tally.waited));
    counts(node.putObject("by_status"), tally.byStatus);
    counts(node.putObject("by_code"), tally.byCode);
    counts(node.putObject("by_label"), tally.byLabel);
    counts(node.putObject("by_answer"), tally.byAnswer);
    ObjectNode errors = node.putObject("errors");
    tally.troubles.forEach((trouble, count) -> errors.put(trouble.toString(), count));
    node.put("bytes_out", tally.bytesOut).put("bytes_in", tally.bytesIn);
    return node;
  }

  private void sum(Tally tally) {
    double seconds = seconds(tally);
    long admitted = tally.latency.get(Tally.Outcome.ADMITTED).getTotalCount();
    double late = tally.lateness.getValueAtPercentile(99) / 1e3;
    if (!tally.phase.warming() && late > LATENESS_MICROS) {
      reasons.add(
          "%s: the driver itself was %.0f µs late at p99".formatted(tally.phase.name(), late));
    }
    Histogram good = tally.latency.get(Tally.Outcome.ADMITTED);
    lines.add(
        "%-14s %9.1f/s due %9.1f/s admitted  p50 %8.0f  p90 %8.0f  p99 %8.0f  max %8.0f µs  late p99 %5.0f µs  %s%s%s"
            .formatted(
                tally.phase.name(),
                tally.due / seconds,
                admitted / seconds,
                good.getValueAtPercentile(50) / 1e3,
                good.getValueAtPercentile(90) / 1e3,
                good.getValueAtPercentile(99) / 1e3,
                good.getMaxValue() / 1e3,
                late,
                tally.byStatus,
                tally.troubles.isEmpty() ? "" : " " + tally.troubles,
                tally.byAnswer.isEmpty() ? "" : " " + tally.byAnswer));
  }

  private static double seconds(Tally tally) {
    return Math.max(1e-9, (tally.endedNanos - tally.startedNanos) / 1e9);
  }

  private static ObjectNode percentiles(Histogram histogram) {
    ObjectNode node = MAPPER.createObjectNode();
    node.put("count", histogram.getTotalCount());
    if (histogram.getTotalCount() > 0) {
      node.put("mean", histogram.getMean() / 1e3);
      node.put("p50", histogram.getValueAtPercentile(50) / 1e3);
      node.put("p90", histogram.getValueAtPercentile(90) / 1e3);
      node.put("p99", histogram.getValueAtPercentile(99) / 1e3);
      node.put("p999", histogram.getValueAtPercentile(99.9) / 1e3);
      node.put("max", histogram.getMaxValue() / 1e3);
    }
    return node;
  }

  private static void counts(ObjectNode node, Map<String, Long> counts) {
    counts.forEach(node::put);
  }

  /** Returns a line a phase, and why the run is void if it is. */
  String summary() {
    List<String> all = new ArrayList<>(lines);
    reasons.forEach(reason -> all.add("void: " + reason));
    return String.join("\n", all);
  }

  boolean isVoid() {
    return !reasons.isEmpty();
  }

  void write(Path file) throws IOException {
    MAPPER.writeValue(file.toFile(), root);
  }

  @Override
  public String toString() {
    return root.toPrettyString();
  }
}
