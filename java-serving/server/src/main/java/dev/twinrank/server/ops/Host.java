package dev.twinrank.server.ops;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Which build runs, and what it takes of its host's memory. */
final class Host {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String RESIDENT = "VmRSS:";
  private static final long KIB = 1024;

  private Host() {}

  /** Publishes both; where the kernel does not tell, the memory is NaN. */
  static void bindTo(MeterRegistry registry) {
    Gauge.builder("rec.build.info", () -> 1)
        .description("Always 1; its label says which release serves.")
        .tag(
            "version",
            Optional.ofNullable(Host.class.getPackage().getImplementationVersion())
                .orElse("unknown"))
        .register(registry);
    Gauge.builder("process.resident.memory", () -> resident(STATUS))
        .description("The process's memory, that of the models and of ONNX Runtime included.")
        .baseUnit("bytes")
        .register(registry);
  }

  /** Reads the resident bytes of a process's status as Linux writes it. */
  static double resident(Path status) {
    try {
      for (String line : Files.readAllLines(status)) {
        if (line.startsWith(RESIDENT)) {
          return KIB * Double.parseDouble(line.replaceAll("[^0-9]", ""));
        }
      }
    } catch (IOException e) {
      return Double.NaN; // another system than Linux
    }
    return Double.NaN;
  }
}
