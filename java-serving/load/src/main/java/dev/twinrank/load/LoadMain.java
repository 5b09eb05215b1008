package dev.twinrank.load;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The load driver. */
@Command(
    name = "load",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Sends requests in phases, times every answer from the moment its request was due, and reports as JSON.",
      "Exit status: 0; 3 if the driver itself was more than 1 ms late at p99 in a phase whose name does not begin with"
          + " 'warm', so that what it measured is void; 1 if nothing could be run; 2 for a wrong option."
    })
final class LoadMain implements Callable<Integer> {
  private static final int VOID = 3;

  @Option(
      names = "--url",
      required = true,
      paramLabel = "URL",
      description = "http://host:port/path; the path is that of every request that names none")
  private URI url;

  @Option(
      names = "--phase",
      paramLabel = "PHASE",
      description =
          "NAME=RATE/s,END sends at a fixed rate, NAME=xN,END keeps N under way; END is 10s, 5000 (requests) or told"
              + " (by a line on stdin). Repeat it")
  private List<String> phases = List.of();

  @Option(
      names = "--bodies",
      paramLabel = "FILE",
      description = "each line is the body of a request")
  private List<Path> bodies = List.of();

  @Option(names = "--body-file", paramLabel = "FILE", description = "a file that is one body")
  private List<Path> files = List.of();

  @Option(
      names = "--plan",
      paramLabel = "FILE",
      description =
          "each line is a request: an object with label, method, path, headers and one of body, text, base64, file")
  private List<Path> plans = List.of();

  @Option(names = "--method", defaultValue = "", description = "GET without bodies, else POST")
  private String method;

  @Option(
      names = {"-H", "--header"},
      paramLabel = "NAME: VALUE",
      description = "of every request")
  private List<String> headers = List.of();

  @Option(names = "--protocol", defaultValue = "h1", description = "h1 or h2")
  private String protocol;

  @Option(
      names = "--connections",
      defaultValue = "32",
      description = "open at most, all from the start (${DEFAULT-VALUE})")
  private int connections;

  @Option(
      names = "--streams",
      defaultValue = "100",
      description = "of HTTP/2: under way on a connection at most (${DEFAULT-VALUE})")
  private int streams;

  @Option(
      names = "--poisson",
      description = "exponential gaps between requests, and not equal ones")
  private boolean poisson;

  @Option(names = "--seed", defaultValue = "7", description = "of those gaps (${DEFAULT-VALUE})")
  private long seed;

  @Option(
      names = "--timeout",
      defaultValue = "10",
      description = "seconds after which a request is given up (${DEFAULT-VALUE})")
  private double timeout;

  @Option(
      names = "--expect",
      paramLabel = "NAME=FILE",
      description =
          "what each request's answer is, byte for byte, from one of several bundles; written by --record")
  private Map<String, Path> expected = Map.of();

  @Option(
      names = "--record",
      paramLabel = "FILE",
      description = "write the first answer to each request here; every one must be a success")
  private Path record;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "where the JSON goes; else to stdout")
  private Path report;

  @Option(
      names = "--control",
      description =
          "obey lines on stdin, and write each phase to stdout as a line of JSON when it is over: 'phase PHASE' adds one,"
              + " 'next' ends the one that is on, 'mark TEXT' puts a line into the report, 'end' (or the end of stdin)"
              + " says that no phase will follow, 'stop' ends the run")
  private boolean control;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  /** Runs it. */
  public static void main(String[] arguments) {
    System.exit(commandLine().execute(arguments));
  }

  static CommandLine commandLine() {
    return new CommandLine(new LoadMain());
  }

  @Override
  public Integer call() throws IOException {
    List<Phase> plan;
    Wire.Protocol spoken;
    Shots shots;
    Answers answers = new Answers();
    if (phases.isEmpty() && !control) {
      throw new ParameterException(
          spec.commandLine(), "there is nothing to do: give a --phase, or --control");
    }
    try {
      plan = phases.stream().map(Phase::of).toList();
      spoken = Wire.Protocol.valueOf(protocol.toUpperCase(Locale.ROOT));
      shots = shots();
      for (Map.Entry<String, Path> each : expected.entrySet()) {
        answers.read(each.getKey(), each.getValue(), shots.size());
      }
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    InetSocketAddress address = new InetSocketAddress(url.getHost(), port());
    Driver.Settings settings =
        new Driver.Settings(
            connections, poisson, seed, (long) (timeout * 1e9), record != null, control);
    try (Wire wire = new Wire(address, spoken, streams)) {
      Driver driver =
          new Driver(wire.group().next(), wire, shots, answers, settings, plan, this::over);
      if (control) {
        listen(driver);
      }
      driver.run().join();
      Report found = new Report(driver, answers, about(shots));
      spec.commandLine().getErr().println(found.summary());
      spec.commandLine().getErr().flush();
      if (report == null && !control) {
        spec.commandLine().getOut().println(found);
        spec.commandLine().getOut().flush();
      } else if (report != null) {
        found.write(report);
      }
      if (record != null) {
        return keep(driver, shots);
      }
      return found.isVoid() ? VOID : 0;
    }
  }

  private void over(Tally phase) {
    if (control) {
      spec.commandLine().getOut().println(Report.line(phase));
      spec.commandLine().getOut().flush();
    }
  }

  private int keep(Driver driver, Shots shots) {
    long good =
        driver.tallies().stream()
            .mapToLong(each -> each.latency.get(Tally.Outcome.ADMITTED).getTotalCount())
            .sum();
    long sent = driver.tallies().stream().mapToLong(each -> each.due).sum();
    if (good < sent || sent < shots.size()) {
      spec.commandLine()
          .getErr()
          .println(
              "nothing recorded: %d of %d requests were sent, %d answered with success"
                  .formatted(sent, shots.size(), good));
      return 1;
    }
    Answers.write(record, driver.recorded());
    return 0;
  }

  private Shots shots() throws IOException {
    boolean bare = bodies.isEmpty() && files.isEmpty() && plans.isEmpty();
    String verb = !method.isEmpty() ? method : bare ? "GET" : "POST";
    String path = url.getRawPath().isEmpty() ? "/" : url.getRawPath();
    Shots shots = new Shots(url.getHost() + ":" + port(), verb, path, fields());
    for (Path file : bodies) {
      shots.addLines(file);
    }
    for (Path file : files) {
      shots.addFile(file);
    }
    for (Path file : plans) {
      shots.addPlan(file);
    }
    if (bare) {
      shots.addBare();
    }
    if (shots.size() == 0) {
      throw new IllegalArgumentException("there is no request in the files that were given");
    }
    return shots;
  }

  private Map<String, String> fields() {
    Map<String, String> fields = new LinkedHashMap<>();
    for (String header : headers) {
      int colon = header.indexOf(':', 1);
      if (colon < 0) {
        throw new IllegalArgumentException("a header is 'Name: value', not '" + header + "'");
      }
      fields.put(
          header.substring(0, colon).strip().toLowerCase(Locale.ROOT),
          header.substring(colon + 1).strip());
    }
    return fields;
  }

  private int port() {
    return url.getPort() < 0 ? 80 : url.getPort();
  }

  private Map<String, String> about(Shots shots) {
    Map<String, String> about = new LinkedHashMap<>();
    about.put("url", url.toString());
    about.put("protocol", protocol);
    about.put("connections", Integer.toString(connections));
    about.put("gaps", poisson ? "exponential" : "equal");
    about.put("requests", Integer.toString(shots.size()));
    about.put("processors", Integer.toString(Runtime.getRuntime().availableProcessors()));
    return about;
  }

  private void listen(Driver driver) {
    Thread reader =
        new Thread(
            () -> {
              try (BufferedReader lines =
                  new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                  obey(driver, line);
                }
                driver.noMore();
              } catch (IOException e) {
                driver.stop();
              }
            },
            "control");
    reader.setDaemon(true);
    reader.start();
  }

  private void obey(Driver driver, String line) {
    String[] words = line.split(" ", 2);
    switch (words[0]) {
      case "phase" -> {
        try {
          driver.add(Phase.of(words.length == 2 ? words[1] : ""));
        } catch (IllegalArgumentException e) {
          say(e.getMessage());
        }
      }
      case "next" -> driver.nextPhase();
      case "mark" -> driver.mark(words.length == 2 ? words[1] : "");
      case "end" -> driver.noMore();
      case "stop" -> driver.stop();
      default -> say("'%s' is none of phase, next, mark, end, stop".formatted(words[0]));
    }
  }

  private void say(String text) {
    spec.commandLine().getErr().println(text);
    spec.commandLine().getErr().flush();
  }
}
