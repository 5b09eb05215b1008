package dev.twinrank.core;

import dev.twinrank.core.VerificationReport.Difference;
import dev.twinrank.core.VerificationReport.Golden;
import dev.twinrank.core.VerificationReport.Phase;
import dev.twinrank.core.internal.json.Quote;
import java.time.Duration;
import java.util.Locale;

/** A verification's report as text, for a log that somebody reads at night. */
final class ReportText {
  private ReportText() {}

  static String of(VerificationReport report) {
    StringBuilder text = new StringBuilder();
    text.append(report.passed() ? "PASSED " : "FAILED ")
        .append(Quote.plain(report.bundle().toString()))
        .append(report.digest().map(digest -> " " + digest).orElse(""))
        .append(report.verification().map(ReportText::proved).orElse(""))
        .append('\n');
    report
        .engine()
        .ifPresent(
            engine ->
                text.append("  scored by ").append(Quote.plain(engine.toString())).append('\n'));
    row(text, "phase", "", "ms", "");
    for (Phase phase : report.phases()) {
      row(text, phase.name(), "", millis(phase.duration()), "");
    }
    if (!report.goldens().isEmpty()) {
      row(text, "golden", "candidates", "ms", "outcome");
    }
    for (Golden golden : report.goldens()) {
      row(
          text,
          Integer.toString(golden.line()),
          Integer.toString(golden.candidates()),
          millis(golden.duration()),
          golden.passed() ? "passed" : "DIFFERS: it " + golden.detail().orElseThrow());
      for (Difference difference : golden.differences()) {
        row(text, "", "", "", difference(difference, golden.candidates()));
      }
    }
    for (Problem problem : report.problems()) {
      text.append("  ")
          .append(problem.code().code())
          .append(": ")
          .append(problem.path())
          .append(": ")
          .append(problem.detail())
          .append('\n');
    }
    return text.toString();
  }

  private static String proved(Verification verification) {
    return " "
        + verification.state().label()
        + (verification.attested() ? " by attestation" : "")
        + ", signature "
        + verification.signature().label()
        + ", "
        + verification.runtime();
  }

  private static String difference(Difference difference, int candidates) {
    return "head '"
        + difference.head()
        + "': "
        + difference.differing()
        + " of "
        + candidates
        + " values have other bits, at most "
        + difference.maxAbs()
        + " apart";
  }

  private static String millis(Duration duration) {
    return String.format(Locale.ROOT, "%.3f", duration.toNanos() / 1e6);
  }

  private static void row(StringBuilder text, String a, String b, String c, String d) {
    text.append(String.format(Locale.ROOT, "  %-10s %12s %12s  %s", a, b, c, d).stripTrailing())
        .append('\n');
  }
}
