package dev.twinrank.server.ops;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import java.net.URI;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The command line's options of what operators see. Not thread-safe. */
public final class OpsFlags {
  enum LogLevel {
    error,
    warn,
    info,
    debug
  }

  enum LogFormat {
    text,
    json
  }

  enum AccessLogOption {
    none,
    refused,
    all
  }

  @Option(
      names = "--log-level",
      defaultValue = "info",
      paramLabel = "LEVEL",
      description = "on stderr: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
  private LogLevel logLevel;

  @Option(
      names = "--log-format",
      defaultValue = "text",
      paramLabel = "FORMAT",
      description =
          "${COMPLETION-CANDIDATES}: lines for people, or a JSON object a line (${DEFAULT-VALUE})")
  private LogFormat logFormat;

  @Option(
      names = "--access-log",
      defaultValue = "none",
      paramLabel = "WHICH",
      description =
          "which requests have a line of their own: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
  private AccessLogOption accessLog;

  @Option(
      names = "--request-log",
      paramLabel = "DIR",
      description =
          "keep a sample of the requests there, with every bit of their answers; they hold what users sent")
  private Path requestLog;

  @Option(
      names = "--request-log-sample",
      defaultValue = "0.001",
      paramLabel = "SHARE",
      description = "which share of the requests, chosen by trace id (${DEFAULT-VALUE})")
  private double requestLogSample;

  @Option(
      names = "--request-log-max-bytes",
      defaultValue = "1073741824",
      paramLabel = "BYTES",
      description = "how much all its files may hold; the oldest go (${DEFAULT-VALUE})")
  private long requestLogMaxBytes;

  @Option(
      names = "--otlp-endpoint",
      paramLabel = "URL",
      description =
          "send spans to this OTLP/HTTP receiver, such as http://127.0.0.1:4318/v1/traces")
  private URI otlpEndpoint;

  @Option(
      names = "--otlp-sample",
      defaultValue = "0",
      paramLabel = "SHARE",
      description =
          "which share of the traces that begin here is recorded; a client's are if it says so (${DEFAULT-VALUE})")
  private double otlpSample;

  /** Lets the log be as it was asked for, from now on. */
  public void configureLog() {
    LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
    ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.setLevel(Level.toLevel(logLevel.name()));
    if (logFormat == LogFormat.json) {
      JsonLines lines = new JsonLines();
      lines.setContext(context);
      lines.start();
      ConsoleAppender<ILoggingEvent> appender =
          (ConsoleAppender<ILoggingEvent>) root.getAppender("stderr");
      appender.stop();
      appender.setEncoder(lines);
      appender.start();
    }
  }

  /**
   * Returns the settings.
   *
   * @throws ParameterException if one is out of range
   */
  public OpsSettings settings(CommandSpec spec) {
    checkShare(spec, "--request-log-sample", requestLogSample);
    checkShare(spec, "--otlp-sample", otlpSample);
    if (otlpEndpoint != null
        && (otlpEndpoint.getHost() == null
            || !Set.of("http", "https").contains(otlpEndpoint.getScheme()))) {
      throw new ParameterException(
          spec.commandLine(),
          "--otlp-endpoint is " + otlpEndpoint + "; an http or https URL is allowed");
    }
    if (requestLogMaxBytes < 1) {
      throw new ParameterException(
          spec.commandLine(),
          "--request-log-max-bytes is " + requestLogMaxBytes + "; at least 1 is allowed");
    }
    return new OpsSettings(
        AccessLog.Which.valueOf(accessLog.name().toUpperCase(Locale.ROOT)),
        Optional.ofNullable(requestLog)
            .map(folder -> new OpsSettings.Requests(folder, requestLogSample, requestLogMaxBytes)),
        Optional.ofNullable(otlpEndpoint)
            .map(url -> new OpsSettings.Traces(url.toString(), otlpSample)));
  }

  private static void checkShare(CommandSpec spec, String option, double share) {
    if (!(share >= 0 && share <= 1)) {
      throw new ParameterException(
          spec.commandLine(), option + " is " + share + "; 0 to 1 is allowed");
    }
  }
}
