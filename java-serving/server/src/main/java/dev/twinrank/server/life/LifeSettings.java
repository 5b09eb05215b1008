package dev.twinrank.server.life;

import dev.twinrank.core.MemoryBudget;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * How models come and go, and how the server does. Immutable and thread-safe.
 *
 * @param only the models that are served and must be; empty for every one that there is
 * @param watch how often pointers are looked at; empty for never
 * @param previous how many versions that were active before stay loaded to roll back to
 * @param memory the bound of the models' native memory; empty for none
 * @param drainDelay how long requests are still answered after the signal, for balancers to notice
 * @param drainLimit how long requests under way may then take
 */
public record LifeSettings(
    Set<String> only,
    Optional<Duration> watch,
    int previous,
    Optional<MemoryBudget> memory,
    Duration drainDelay,
    Duration drainLimit) {

  /** How often pointers are looked at if nothing is said. */
  static final Duration DEFAULT_WATCH = Duration.ofSeconds(1);

  /** How long answers under way may take if nothing is said. */
  static final Duration DEFAULT_DRAIN_LIMIT = Duration.ofSeconds(30);

  /** Copies the names. */
  public LifeSettings {
    only = Set.copyOf(only);
  }

  /** Returns what holds on loopback if nothing is said. */
  public static LifeSettings defaults() {
    return new LifeSettings(
        Set.of(),
        Optional.of(DEFAULT_WATCH),
        1,
        Optional.empty(),
        Duration.ZERO,
        DEFAULT_DRAIN_LIMIT);
  }

  /** Returns whether a model of that name may be served. */
  boolean wants(String name) {
    return only.isEmpty() || only.contains(name);
  }
}
