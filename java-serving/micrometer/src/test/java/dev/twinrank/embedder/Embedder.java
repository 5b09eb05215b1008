package dev.twinrank.embedder;

import dev.twinrank.core.Model;
import dev.twinrank.core.ModelOptions;
import dev.twinrank.core.ModelOptions.Require;
import dev.twinrank.micrometer.ModelMetrics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** An application that knows only what the modules export. */
final class Embedder {
  private Embedder() {}

  public static void main(String[] args) {
    Module module = ModelMetrics.class.getModule();
    System.out.println("module " + module.getName());
    System.out.println(
        "exports "
            + module.getDescriptor().exports().stream().map(Object::toString).sorted().toList());
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    ModelMetrics metrics = new ModelMetrics(registry);
    ModelOptions options =
        ModelOptions.builder().require(Require.REFERENCE).listener(metrics).build();
    try (Model model = Model.open(Path.of(args[0]), options)) {
      ModelMetrics.Binding binding = metrics.bind(model);
      model.rank(model.parse(args[1].getBytes(StandardCharsets.UTF_8)));
      System.out.println(
          "answered "
              + registry.get("rec.model.requests").tag("outcome", "ok").functionCounter().count());
      System.out.println("ran " + registry.get("rec.stage").tag("stage", "run").timer().count());
      binding.close();
    }
  }
}
