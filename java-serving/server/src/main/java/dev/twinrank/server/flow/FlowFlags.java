package dev.twinrank.server.flow;

import java.time.Duration;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The command line's options of {@link FlowSettings}. Not thread-safe. */
public final class FlowFlags {
  private static final int MOST_WORKERS = 1_024;
  private static final int LEAST_HEADER_BYTES = 1_024;
  private static final int MOST_HEADER_BYTES = 1 << 20;
  private static final int MOST_MILLIS = 86_400_000;

  @Option(
      names = "--max-body",
      defaultValue = "" + FlowSettings.DEFAULT_MAX_BODY,
      paramLabel = "BYTES",
      description =
          "the longest request body, and the longest that may come out of a compressed one (${DEFAULT-VALUE})")
  private long maxBody;

  @Option(
      names = "--workers",
      paramLabel = "N",
      description = "scoring threads; at least 2 (as many as processors)")
  private Integer workers;

  @Option(
      names = "--max-deadline",
      defaultValue = "" + FlowSettings.DEFAULT_MAX_DEADLINE_MILLIS,
      paramLabel = "MS",
      description =
          "the longest that an answer is worked for, whatever the client's deadline is (${DEFAULT-VALUE})")
  private int maxDeadline;

  @Option(
      names = "--queue-age",
      defaultValue = "" + FlowSettings.DEFAULT_QUEUE_AGE_MILLIS,
      paramLabel = "MS",
      description =
          "the longest that a request waits for a scoring thread, or twice as long as such requests run if that is more; then it is refused with 503 (${DEFAULT-VALUE})")
  private int queueAge;

  @Option(
      names = "--queue-rows",
      defaultValue = "" + FlowSettings.DEFAULT_QUEUE_ROWS,
      paramLabel = "N",
      description = "how many candidates may wait for scoring threads (${DEFAULT-VALUE})")
  private int queueRows;

  @Option(
      names = "--large-slate",
      defaultValue = "" + FlowSettings.DEFAULT_LARGE_SLATE,
      paramLabel = "N",
      description =
          "requests of more candidates leave one scoring thread to the others (${DEFAULT-VALUE})")
  private int largeSlate;

  @Option(
      names = "--max-connections",
      defaultValue = "" + ConnectionSettings.DEFAULT_MOST,
      paramLabel = "N",
      description = "connections; one more is closed at once (${DEFAULT-VALUE})")
  private int maxConnections;

  @Option(
      names = "--idle-timeout",
      defaultValue = "" + ConnectionSettings.DEFAULT_IDLE_MILLIS,
      paramLabel = "MS",
      description = "a connection without a request is closed after this time (${DEFAULT-VALUE})")
  private int idleTimeout;

  @Option(
      names = "--transfer-timeout",
      defaultValue = "" + ConnectionSettings.DEFAULT_TRANSFER_MILLIS,
      paramLabel = "MS",
      description =
          "a request must come, and its answer be taken, within this time (${DEFAULT-VALUE})")
  private int transferTimeout;

  @Option(
      names = "--max-header",
      defaultValue = "" + ConnectionSettings.DEFAULT_HEADER_BYTES,
      paramLabel = "BYTES",
      description = "the longest headers of a request (${DEFAULT-VALUE})")
  private int maxHeader;

  @Option(
      names = "--max-streams",
      defaultValue = "" + ConnectionSettings.DEFAULT_STREAMS,
      paramLabel = "N",
      description = "requests under way on one HTTP/2 connection (${DEFAULT-VALUE})")
  private int maxStreams;

  /**
   * Returns the settings.
   *
   * @throws ParameterException if one is out of range
   */
  public FlowSettings settings(CommandSpec spec) {
    int threads = workers == null ? FlowSettings.defaults().workers() : workers;
    check(spec, "--max-body", maxBody, 1, Integer.MAX_VALUE);
    check(spec, "--workers", threads, FlowSettings.LEAST_WORKERS, MOST_WORKERS);
    check(spec, "--max-deadline", maxDeadline, 1, MOST_MILLIS);
    check(spec, "--queue-age", queueAge, 1, MOST_MILLIS);
    check(spec, "--queue-rows", queueRows, 1, Integer.MAX_VALUE);
    check(spec, "--large-slate", largeSlate, 1, Integer.MAX_VALUE);
    check(spec, "--max-connections", maxConnections, 1, Integer.MAX_VALUE);
    check(spec, "--idle-timeout", idleTimeout, 1, MOST_MILLIS);
    check(spec, "--transfer-timeout", transferTimeout, 1, MOST_MILLIS);
    check(spec, "--max-header", maxHeader, LEAST_HEADER_BYTES, MOST_HEADER_BYTES);
    check(spec, "--max-streams", maxStreams, 1, Integer.MAX_VALUE);
    return new FlowSettings(
        maxBody,
        threads,
        Duration.ofMillis(maxDeadline),
        Duration.ofMillis(queueAge),
        queueRows,
        largeSlate,
        new ConnectionSettings(
            maxConnections,
            Duration.ofMillis(idleTimeout),
            Duration.ofMillis(transferTimeout),
            maxHeader,
            maxStreams));
  }

  private static void check(CommandSpec spec, String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw new ParameterException(
          spec.commandLine(),
          "%s is %d; %d to %d is allowed".formatted(option, value, least, most));
    }
  }
}
