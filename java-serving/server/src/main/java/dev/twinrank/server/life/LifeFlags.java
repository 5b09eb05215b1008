package dev.twinrank.server.life;

import dev.twinrank.core.MemoryBudget;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The command line's options of {@link LifeSettings}. Not thread-safe. */
public final class LifeFlags {
  private static final double MOST_SECONDS = 86_400;
  private static final int MOST_PREVIOUS = 100;
  private static final Duration REMOTE_DRAIN_DELAY = Duration.ofSeconds(5);

  @Option(
      names = "--model",
      split = ",",
      paramLabel = "NAME",
      description =
          "serve this model and no other; repeat it for more. Each must be there and verified for the server to be"
              + " ready (every model of the directory)")
  private List<String> models = List.of();

  @Option(
      names = "--watch",
      defaultValue = "1",
      paramLabel = "SECONDS",
      description =
          "how often <name>/active is looked at, which names the version to serve; 0 never, then SIGHUP and the admin"
              + " API are the ways (${DEFAULT-VALUE})")
  private double watch;

  @Option(
      names = "--previous",
      defaultValue = "1",
      paramLabel = "N",
      description =
          "how many versions that were active before stay in memory to roll back to (${DEFAULT-VALUE})")
  private int previous;

  @Option(
      names = "--memory",
      paramLabel = "BYTES",
      description =
          "bound of the models' native memory: a version that does not fit is refused and the old one serves on"
              + " (none)")
  private Long memory;

  @Option(
      names = "--drain-delay",
      paramLabel = "SECONDS",
      description =
          "how long requests are still answered after SIGTERM while /health/ready says no, for balancers to notice"
              + " (5; 0 on loopback)")
  private Double drainDelay;

  @Option(
      names = "--drain-limit",
      defaultValue = "30",
      paramLabel = "SECONDS",
      description = "how long requests under way may then take (${DEFAULT-VALUE})")
  private double drainLimit;

  /**
   * Returns the settings.
   *
   * @param host where the server listens
   * @throws ParameterException if one is out of range
   */
  public LifeSettings settings(CommandSpec spec, String host) {
    Set<String> only = new LinkedHashSet<>(models);
    if (only.contains("")) {
      throw new ParameterException(
          spec.commandLine(), "--model is empty; a model's name is allowed");
    }
    if (previous < 0 || previous > MOST_PREVIOUS) {
      throw new ParameterException(
          spec.commandLine(),
          "--previous is %d; 0 to %d is allowed".formatted(previous, MOST_PREVIOUS));
    }
    if (memory != null && memory < 1) {
      throw new ParameterException(
          spec.commandLine(), "--memory is %d; at least 1 byte is allowed".formatted(memory));
    }
    Duration every = seconds(spec, "--watch", watch);
    return new LifeSettings(
        only,
        every.isZero() ? Optional.empty() : Optional.of(every),
        previous,
        Optional.ofNullable(memory).map(MemoryBudget::of),
        drainDelay == null ? usual(host) : seconds(spec, "--drain-delay", drainDelay),
        seconds(spec, "--drain-limit", drainLimit));
  }

  /** No balancer watches a server that only its own machine reaches. */
  private static Duration usual(String host) {
    InetAddress address = new InetSocketAddress(host, 0).getAddress();
    return address != null && address.isLoopbackAddress() ? Duration.ZERO : REMOTE_DRAIN_DELAY;
  }

  private static Duration seconds(CommandSpec spec, String option, double value) {
    if (!(value >= 0 && value <= MOST_SECONDS)) {
      throw new ParameterException(
          spec.commandLine(),
          "%s is %s; 0 to %.0f seconds is allowed".formatted(option, value, MOST_SECONDS));
    }
    return Duration.ofMillis(Math.round(value * 1_000));
  }
}
