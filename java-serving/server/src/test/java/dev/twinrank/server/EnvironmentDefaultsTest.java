package dev.twinrank.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

class EnvironmentDefaultsTest {
  @Test
  void anOptionThatIsNotGivenComesFromTheEnvironment() {
    CommandLine line = line(Map.of("TWINRANK_MODELS", "/m", "TWINRANK_LOG_LEVEL", "warn"));
    line.parseArgs();
    assertEquals("/m", value(line, "--models"));
    assertEquals("warn", value(line, "--log-level"));
    assertEquals("8080", value(line, "--port"), "the option's own default stands");
  }

  @Test
  void theCommandLineWinsOverTheEnvironment() {
    CommandLine line = line(Map.of("TWINRANK_MODELS", "/m", "TWINRANK_PORT", "1"));
    line.parseArgs("--port", "2", "--models", "/n");
    assertEquals("2", value(line, "--port"));
    assertEquals("/n", value(line, "--models"));
  }

  @Test
  void withoutEitherARequiredOptionIsMissing() {
    assertThrows(MissingParameterException.class, () -> line(Map.of()).parseArgs());
  }

  /** Every option, those of the groups too: none may be reachable by the command line only. */
  @Test
  void everyOptionHasANameInTheEnvironment() {
    List<OptionSpec> options = new ArrayList<>(line(Map.of()).getCommandSpec().options());
    options.removeIf(option -> option.usageHelp() || option.versionHelp());
    assertTrue(options.size() >= 10, options::toString);
    for (OptionSpec option : options) {
      String value = valueFor(option);
      Map<String, String> environment = new TreeMap<>(Map.of("TWINRANK_MODELS", "/m"));
      environment.put(
          "TWINRANK_"
              + option.longestName().substring(2).toUpperCase(Locale.ROOT).replace('-', '_'),
          value);
      CommandLine line = line(environment);
      line.parseArgs();
      assertEquals(value, value(line, option.longestName()), option.longestName());
    }
  }

  @Test
  void aWrongValueIsToldWithWhereItCameFrom() {
    EnvironmentDefaults defaults =
        new EnvironmentDefaults(Map.of("TWINRANK_MODELS", "/m", "TWINRANK_PORT", "ten"));
    ParameterException error =
        assertThrows(ParameterException.class, () -> line(defaults).parseArgs());
    assertEquals(
        List.of("  where: TWINRANK_PORT=ten in the environment"),
        defaults.origin(error.getArgSpec()));
  }

  @Test
  void aServiceLinkOfKubernetesIsRecognised() {
    EnvironmentDefaults defaults =
        new EnvironmentDefaults(
            Map.of("TWINRANK_MODELS", "/m", "TWINRANK_PORT", "tcp://10.0.0.1:80"));
    ParameterException error =
        assertThrows(ParameterException.class, () -> line(defaults).parseArgs());
    String told = String.join("\n", defaults.origin(error.getArgSpec()));
    assertTrue(told.contains("enableServiceLinks: false"), told);
  }

  @Test
  void aVariableThatNamesNoOptionIsFound() {
    EnvironmentDefaults defaults =
        new EnvironmentDefaults(
            Map.of(
                "TWINRANK_REQIURE", "bits",
                "TWINRANK_REQUIRE", "bits",
                "TWINRANK_HELP", "true",
                "TWINRANK_TIER", "ci",
                "TWINRANK_SERVICE_HOST", "10.0.0.1",
                "TWINRANK_SERVICE_PORT_HTTP", "80",
                "TWINRANK_ADMIN_SERVICE_PORT", "80",
                "TWINRANK_PORT_80_TCP_ADDR", "10.0.0.1",
                "OTHER", "x"));
    assertEquals(
        Set.of("TWINRANK_REQIURE", "TWINRANK_HELP"),
        defaults.unknown(line(defaults).getCommandSpec()));
  }

  @Test
  void helpIsNeverAskedForByTheEnvironment() {
    CommandLine line = line(Map.of("TWINRANK_MODELS", "/m", "TWINRANK_HELP", "true"));
    assertFalse(line.parseArgs().isUsageHelpRequested());
    OptionSpec help = line.getCommandSpec().findOption("--help");
    assertNull(new EnvironmentDefaults(Map.of("TWINRANK_HELP", "true")).defaultValue(help));
  }

  private static String valueFor(OptionSpec option) {
    if (option.type().isEnum()) {
      Object[] constants = option.type().getEnumConstants();
      return constants[constants.length - 1].toString();
    }
    if (option.typeInfo().isBoolean()) {
      return "true";
    }
    boolean fraction = option.type() == double.class || option.type() == Double.class;
    return fraction ? "0.5" : "7";
  }

  private static String value(CommandLine line, String option) {
    Object value = line.getCommandSpec().findOption(option).getValue();
    return value instanceof List<?> list ? list.get(0).toString() : String.valueOf(value);
  }

  private static CommandLine line(Map<String, String> environment) {
    return line(new EnvironmentDefaults(environment));
  }

  private static CommandLine line(EnvironmentDefaults defaults) {
    return new CommandLine(new ServerMain()).setDefaultValueProvider(defaults);
  }
}
