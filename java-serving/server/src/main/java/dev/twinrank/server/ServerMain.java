package dev.twinrank.server;

import ch.qos.logback.classic.Level;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.InstallationPolicy;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.core.SignaturePolicy;
import dev.twinrank.core.SignaturePolicy.Mode;
import dev.twinrank.core.Verification;
import dev.twinrank.core.Verification.SignatureState;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
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
        "Serves the newest version of every model under DIR/<name>/<version>; ready only when all are verified.",
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

  enum LogLevel {
    error,
    warn,
    info,
    debug
  }

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

  @Option(
      names = "--max-body",
      defaultValue = "16777216",
      paramLabel = "BYTES",
      description = "the longest request body (${DEFAULT-VALUE})")
  private long maxBody;

  @Option(
      names = "--log-level",
      defaultValue = "info",
      paramLabel = "LEVEL",
      description = "on stderr: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
  private LogLevel logLevel;

  /**
   * Runs the server and exits.
   *
   * @param args see {@code --help}
   */
  public static void main(String[] args) {
    // Digits and words in logs and messages are the same wherever this runs.
    Locale.setDefault(Locale.ROOT);
    System.exit(
        new CommandLine(new ServerMain())
            .setParameterExceptionHandler((e, words) -> tellUsage(e))
            .execute(args));
  }

  /** Prints what is wrong and where the usage is told; above a screen of usage nobody sees it. */
  private static int tellUsage(ParameterException e) {
    CommandLine command = e.getCommandLine();
    command.getErr().println(e.getMessage());
    UnmatchedArgumentException.printSuggestions(e, command.getErr());
    command.getErr().println("  to do: " + command.getCommandName() + " --help");
    return command.getCommandSpec().exitCodeOnInvalidInput();
  }

  /** Runs the server until a signal, and returns the exit status. */
  @Override
  public Integer call() {
    check("--port", port, 0, MAX_PORT);
    check("--max-body", maxBody, 1, Integer.MAX_VALUE);
    ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME))
        .setLevel(Level.toLevel(logLevel.name()));
    ModelOptions.Builder options = modelOptions();
    long began = System.nanoTime();
    try {
      return run(began, options, Signals.takeOver());
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

  private int run(long began, ModelOptions.Builder options, Signals signals) {
    if (portFile != null) {
      PortFile.clear(portFile);
    }
    try (RankServer server = new RankServer(host, port, maxBody)) {
      server.start();
      ModelDirectory directory =
          new ModelDirectory(modelsDir, options.listener(server.listener()).build());
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

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = ServerMain.class.getPackage().getImplementationVersion();
      return new String[] {"twinrank-server " + (version == null ? "(not packaged)" : version)};
    }
  }
}
