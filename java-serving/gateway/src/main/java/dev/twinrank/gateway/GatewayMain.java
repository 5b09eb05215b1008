package dev.twinrank.gateway;

import dev.twinrank.core.BundleException;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * A JVM that is nothing but a gateway, until SIGTERM, SIGINT or, if asked, the end of stdin.
 *
 * <p>Exit status: 0 at the end of stdin, 1 if it cannot start, 2 for a wrong option, 143 after
 * SIGTERM, 130 after SIGINT.
 *
 * @since 0.1
 */
@Command(
    name = "twinrank-gateway",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Answers the probe protocol over Py4J on 127.0.0.1.",
      "Whoever reads the connection file can run any code in this process."
    })
public final class GatewayMain implements Callable<Integer> {
  private static final int CANNOT_START = 1;

  enum RequireOption {
    bits,
    reference
  }

  @Spec private CommandSpec spec;

  @Option(
      names = "--connection-file",
      required = true,
      paramLabel = "FILE",
      description =
          "where port and token are written, readable by the owner only; removed at the end")
  private Path connectionFile;

  @Option(
      names = "--bundle",
      paramLabel = "DIR",
      description = "the bundle to speak of; without it the client loads bundles")
  private Path bundle;

  @Option(
      names = "--require",
      defaultValue = "bits",
      description = "how much --bundle must prove: ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
  private RequireOption require;

  @Option(
      names = "--port",
      defaultValue = "0",
      description = "port; 0 takes a free one (${DEFAULT-VALUE})")
  private int port;

  @Option(
      names = "--until-stdin-ends",
      description =
          "end when stdin does, so that a parent that dies does not leave a gateway behind")
  private boolean untilStdinEnds;

  /**
   * Runs the gateway and exits.
   *
   * @param args see {@code --help}
   */
  public static void main(String[] args) {
    // Digits and words in logs and messages are the same wherever this runs.
    Locale.setDefault(Locale.ROOT);
    System.exit(new CommandLine(new GatewayMain()).execute(args));
  }

  /** Runs the gateway, and returns the exit status. */
  @Override
  public Integer call() throws IOException, InterruptedException {
    PrintWriter err = spec.commandLine().getErr();
    GatewayOptions options = options();
    try (Model model = bundle == null ? null : Model.open(bundle, modelOptions());
        Gateway gateway = model == null ? Gateway.open(options) : Gateway.open(model, options)) {
      // A signal ends the JVM by its hooks, and the token's file must not outlive it.
      Runtime.getRuntime().addShutdownHook(new Thread(gateway::close, "twinrank-gateway-close"));
      err.printf("twinrank-gateway on 127.0.0.1:%d, token in %s%n", gateway.port(), connectionFile);
      if (untilStdinEnds) {
        System.in.transferTo(OutputStream.nullOutputStream());
      } else {
        new CountDownLatch(1).await();
      }
      return 0;
    } catch (BundleException
        | IllegalArgumentException
        | IllegalStateException
        | UncheckedIOException e) {
      err.println("twinrank-gateway cannot start: " + e.getMessage());
      return CANNOT_START;
    }
  }

  private GatewayOptions options() {
    try {
      return new GatewayOptions(connectionFile, port);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--port: " + e.getMessage(), e);
    }
  }

  private ModelOptions modelOptions() {
    return ModelOptions.builder()
        .require(Require.valueOf(require.name().toUpperCase(Locale.ROOT)))
        .build();
  }
}
