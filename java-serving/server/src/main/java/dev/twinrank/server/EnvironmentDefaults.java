package dev.twinrank.server;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Every option {@code --foo-bar} that the command line does not give is taken from the environment,
 * where it is called {@code TWINRANK_FOO_BAR}. Immutable.
 */
final class EnvironmentDefaults implements IDefaultValueProvider {
  private static final String PREFIX = "TWINRANK_";
  private static final String LONG = "--";

  /** What the project's tools and tests name so; it is none of the server's business. */
  private static final Set<String> OTHERS =
      Set.of(
          "TWINRANK_CACHE",
          "TWINRANK_ENGINE",
          "TWINRANK_JARS",
          "TWINRANK_NEWER_JDK",
          "TWINRANK_TIER");

  /** What Kubernetes sets for a Service of that name, in every pod that does not say no. */
  private static final String SERVICE_LINK = "tcp://";

  private final Map<String, String> environment;

  EnvironmentDefaults(Map<String, String> environment) {
    this.environment = Map.copyOf(environment);
  }

  /** Returns what an option is called in the environment, if it has a long name. */
  static Optional<String> nameOf(ArgSpec arg) {
    return arg instanceof OptionSpec option && option.longestName().startsWith(LONG)
        ? Optional.of(nameOf(option.longestName()))
        : Optional.empty();
  }

  private static String nameOf(String longName) {
    return PREFIX + longName.substring(LONG.length()).replace('-', '_').toUpperCase(Locale.ROOT);
  }

  /** Returns what the environment says of an option; null leaves its own default. */
  @Override
  public String defaultValue(ArgSpec arg) {
    return settable(arg) ? nameOf(arg).map(environment::get).orElse(null) : null;
  }

  /**
   * Returns where a value that is wrong came from, and what to do about it, as lines; none if the
   * environment does not name the option.
   */
  List<String> origin(ArgSpec arg) {
    Optional<String> name = settable(arg) ? nameOf(arg) : Optional.empty();
    String value = name.map(environment::get).orElse(null);
    if (value == null) {
      return List.of();
    }
    String where = "  where: %s=%s in the environment".formatted(name.get(), value);
    return value.startsWith(SERVICE_LINK)
        ? List.of(
            where,
            "  Kubernetes sets it for a Service named twinrank; to do: enableServiceLinks: false in the pod")
        : List.of(where);
  }

  /** Returns the variables that look as if they were meant for the server and name no option. */
  Set<String> unknown(CommandSpec spec) {
    Set<String> known = new HashSet<>(OTHERS);
    spec.options().stream()
        .filter(EnvironmentDefaults::settable)
        .forEach(option -> nameOf(option).ifPresent(known::add));
    Set<String> unknown = new TreeSet<>();
    environment.forEach(
        (name, value) -> {
          if (name.startsWith(PREFIX) && !known.contains(name) && !isServiceLink(name)) {
            unknown.add(name);
          }
        });
    return unknown;
  }

  private static boolean isServiceLink(String name) {
    return name.matches(
        "TWINRANK_(\\w+_)?(SERVICE_(HOST|PORT(_\\w+)?)|PORT_\\d+_(TCP|UDP)(_\\w+)?)");
  }

  // Help and version are asked for by a person, at the command line.
  private static boolean settable(ArgSpec arg) {
    return arg instanceof OptionSpec option && !option.usageHelp() && !option.versionHelp();
  }
}
