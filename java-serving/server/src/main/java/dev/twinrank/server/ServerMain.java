package dev.twinrank.server;

import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.InstallationPolicy;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.SignaturePolicy;
import dev.twinrank.core.SignaturePolicy.Mode;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.SignatureState;
import dev.twinrank.server.api.SecurityFlags;
import dev.twinrank.server.flow.FlowFlags;
import dev.twinrank.server.life.LifeFlags;
import dev.twinrank.server.life.ModelDirectory;
import dev.twinrank.server.life.Models;
import dev.twinrank.server.life.PortFile;
import dev.twinrank.server.life.Signals;
import dev.twinrank.server.life.StartException;
import dev.twinrank.server.ops.OpsFlags;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Serves every model of a directory over HTTP until SIGTERM or SIGINT.
 *
 * <p>Exit status: 1 if it cannot start (a bundle that fails, an address that is taken), 2 for a
 * wrong option, 143 after SIGTERM and 130 after SIGINT.
 *
 * @since 0.1
 */
@Command(
    name = "twinrank-server",
    mixinStandardHelpOptions = true,
    versionProvider = ServerMain.Version.class,
    sortOptions = false,
    description =
        "Serves every model under DIR/<name>/<version>: the version that DIR/<name>/active names, else the newest; ready"
            + " only when all are verified.",
    footerHeading = "%nEnvironment:%n",
    footer =
        "  Every option --foo-bar that is not given here is taken from TWINRANK_FOO_BAR, if that is set.",
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "1:it cannot start: a bundle failed, or the address is taken",
      "2:a wrong option",
      "143:SIGTERM: requests under way were answered",
      "130:SIGINT: the same"
    })
public final class ServerMain implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(ServerMain.class);
  private static final int CANNOT_START = 1;
  private static final int MAX_PORT = 65_535;

  enum RequireOption {
    bits,
    reference
  }

  enum SignatureOption {
    none,
    warn,
    require
  }

  enum InstallationOption {
    always,
    trust_record
  }

  @Spec private CommandSpec spec;

  @Option(
      names = "--models",
      required = true,
      paramLabel = "DIR",
      description = "the directory that holds <name>/<version>")
  private Path modelsDir;

  @Option(
      names = "--host",
      defaultValue = "127.0.0.1",
      description = "address to listen on (${DEFAULT-VALUE})")
  private String host;

  @Option(
      names = "--port",
      defaultValue = "8080",
      description = "port; 0 takes a free one (${DEFAULT-VALUE})")
  private int port;

  @Option(
      names = "--admin-port",
      paramLabel = "PORT",
      description =
          "port of health, metrics and administration; 0 takes a free one, -1 has none (the one after --port, or a"
              + " free one)")
  private Integer adminPort;

  @Option(
      names = "--port-file",
      paramLabel = "FILE",
      description = "write the port there once ready; removed at the end")
  private Path portFile;

  @Option(
      names = "--require",
      defaultValue = "bits",
      description = "how much a bundle must prove: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
  private RequireOption require;

  @Option(
      names = "--public-key",
      paramLabel = "FILE",
      description =
          "a public key in PEM that bundles may be signed with; repeat it for more, one that verifies is enough")
  private List<Path> publicKeys = new ArrayList<>();

  @Option(
      names = "--signature",
      paramLabel = "POLICY",
      description =
          "what a bundle's signature decides: ${COMPLETION-CANDIDATES} (require with a --public-key, none without)")
  private SignatureOption signature;

  @Option(
      names = "--installation",
      defaultValue = "always",
      paramLabel = "POLICY",
      description = {
        "external weights are digested at every start (always), or not while the record that an earlier start wrote"
            + " beside the bundle still holds (trust_record) (${DEFAULT-VALUE})"
      })
  private InstallationOption installation;

  @ArgGroup(validate = false, heading = "%nWho may connect:%n")
  private final SecurityFlags security = new SecurityFlags();

  @ArgGroup(validate = false, heading = "%nLimits:%n")
  private final FlowFlags flow = new FlowFlags();

  @ArgGroup(validate = false, heading = "%nModels that come and go, and the end:%n")
  private final LifeFlags life = new LifeFlags();

  @ArgGroup(validate = false, heading = "%nWhat operators see:%n")
  private final OpsFlags ops = new OpsFlags();

  /**
   * Runs the server and exits.
   *
   * @param args see {@code --help}
   */
  public static void main(String[] args) {
    // Digits and words in logs and messages are the same wherever this runs.
    Locale.setDefault(Locale.ROOT);
    EnvironmentDefaults environment = new EnvironmentDefaults(System.getenv());
    System.exit(
        new CommandLine(new ServerMain())
            .setDefaultValueProvider(environment)
            .setParameterExceptionHandler((e, words) -> tellUsage(e, environment))
            .execute(args));
  }

  /** Prints what is wrong and where the usage is told; above a screen of usage nobody sees it. */
  private static int tellUsage(ParameterException e, EnvironmentDefaults environment) {
    CommandLine command = e.getCommandLine();
    command.getErr().println(e.getMessage());
    Optional.ofNullable(e.getArgSpec())
        .map(environment::origin)
        .orElse(List.of())
        .forEach(command.getErr()::println);
    UnmatchedArgumentException.printSuggestions(e, command.getErr());
    command.getErr().println("  to do: " + command.getCommandName() + " --help");
    return command.getCommandSpec().exitCodeOnInvalidInput();
  }

  /** Runs the server until a signal, and returns the exit status. */
  @Override
  public Integer call() {
    check("--port", port, 0, MAX_PORT);
    int admin = adminPort != null ? adminPort : port == 0 ? 0 : port + 1;
    check("--admin-port", admin, -1, MAX_PORT);
    Settings settings =
        new Settings(
            host,
            port,
            admin < 0 ? OptionalInt.empty() : OptionalInt.of(admin),
            flow.settings(spec),
            life.settings(spec, host),
            ops.settings(spec),
            security.settings(spec));
    ops.configureLog();
    new EnvironmentDefaults(System.getenv())
        .unknown(spec)
        .forEach(name -> LOG.warn("{} in the environment names no option; it is ignored", name));
    ModelOptions.Builder options = modelOptions();
    settings.life().memory().ifPresent(options::memory);
    long began = System.nanoTime();
    try {
      return run(began, settings, options, Signals.takeOver());
    } catch (StartException e) {
      spec.commandLine().getErr().println("twinrank-server cannot start; nothing is served:");
      e.problems().forEach(problem -> spec.commandLine().getErr().println(problem));
      return CANNOT_START;
    }
  }

  private ModelOptions.Builder modelOptions() {
    return ModelOptions.builder()
        .require(Require.valueOf(require.name().toUpperCase(Locale.ROOT)))
        .signature(signaturePolicy())
        .installation(InstallationPolicy.valueOf(installation.name().toUpperCase(Locale.ROOT)));
  }

  private SignaturePolicy signaturePolicy() {
    SignatureOption asked =
        Optional.ofNullable(signature)
            .orElse(publicKeys.isEmpty() ? SignatureOption.none : SignatureOption.require);
    if (asked != SignatureOption.none && publicKeys.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--signature is %s and there is no --public-key; give at least one".formatted(asked));
    }
    try {
      return SignaturePolicy.ofFiles(
          Mode.valueOf(asked.name().toUpperCase(Locale.ROOT)), publicKeys);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--public-key: " + e.getMessage(), e);
    }
  }

  private int run(long began, Settings settings, ModelOptions.Builder options, Signals signals) {
    if (portFile != null) {
      PortFile.clear(portFile);
    }
    try (RankServer server = new RankServer(settings)) {
      signals.onSecond(server::hurry);
      signals.onHangup(server::look);
      server.start();
      warnOfTelemetry();
      server.adminUrl().ifPresent(url -> LOG.info("administration at {}", url));
      ModelDirectory directory =
          new ModelDirectory(
              modelsDir,
              settings.life(),
              options.listener(server.listener()).build(),
              server::loaded);
      Optional<Models> models = directory.open(signals::received);
      if (models.isEmpty()) {
        LOG.info("stopped while loading");
        return signals.await();
      }
      server.serve(models.get());
      Optional<PortFile> written =
          Optional.ofNullable(portFile).map(file -> PortFile.write(file, server.port()));
      try {
        LOG.info(
            "ready at {} after {} s: {}", server.url(), secondsSince(began), summary(models.get()));
        int status = signals.await();
        LOG.info("draining");
        return status;
      } finally {
        written.ifPresent(PortFile::close);
      }
    }
  }

  private static void warnOfTelemetry() {
    if (System.getenv("ORT_DISABLE_TELEMETRY") == null) {
      // A JVM cannot change its own environment, and the runtime's call comes after it has begun.
      LOG.warn(
          "ONNX Runtime looks for its maker's hosts when it starts; ORT_DISABLE_TELEMETRY=1 in the"
              + " environment keeps it from that (`twinrank serve` and the container set it)");
    }
  }

  private void check(String option, long value, long least, long most) {
    if (value < least || value > most) {
      throw new ParameterException(
          spec.commandLine(),
          "%s is %d; %d to %d is allowed".formatted(option, value, least, most));
    }
  }

  private static String summary(Models models) {
    return models.all().stream()
        .map(
            entry ->
                "%s/%d %s %s"
                    .formatted(
                        entry.name(),
                        entry.version(),
                        entry.digest(),
                        summary(entry.verification())))
        .collect(Collectors.joining("; "));
  }

  private static String summary(Verification verification) {
    List<String> facts = new ArrayList<>(List.of(verification.goldens() + " goldens"));
    if (verification.attested()) {
      facts.add("attested");
    }
    if (verification.signature() != SignatureState.UNCHECKED) {
      facts.add("signature " + verification.signature().label());
    }
    verification.allowed().forEach(allowed -> facts.add("allowed " + allowed.finding()));
    return verification.state().label() + " (" + String.join(", ", facts) + ")";
  }

  private static String secondsSince(long nanoTime) {
    return "%.2f".formatted((System.nanoTime() - nanoTime) / 1e9);
  }

  /** Returns the release, as the jar says it. */
  static String version() {
    String version = ServerMain.class.getPackage().getImplementationVersion();
    return version == null ? "(not packaged)" : version;
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"twinrank-server " + version()};
    }
  }
}
